package pgtest

import "context"

// Run starts a server for a program that is no test, such as the benchmarks. It ends with Close,
// or when the process ends. The rest is as [Start] says.
func Run(ctx context.Context, with ...Option) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return create(ctx, with)
}

// Close ends a server that [Run] has started and removes its data.
func (s *Server) Close() error { return s.end(context.Background()) }
