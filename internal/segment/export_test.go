package segment

import "context"

// Look looks once.
func (k *Keeper) Look(ctx context.Context) error { return k.look(ctx) }
