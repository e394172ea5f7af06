package access

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxBelieved is how many tokens are remembered at most: about 2 MB.
const maxBelieved = 10_000

// believedTokens remembers what tokens say whose signature has been checked, so that it is checked
// once for each and not for each request. It remembers no token, only hashes, and none that was
// refused: what is not ours cannot fill it. Whether the holder is still one is asked elsewhere,
// each time. It is safe for concurrent use.
type believedTokens struct {
	mu     sync.RWMutex
	byHash map[[sha256.Size]byte]*tokenClaims
}

func newBelievedTokens() *believedTokens {
	return &believedTokens{byHash: map[[sha256.Size]byte]*tokenClaims{}}
}

// claims are what the token says, if it has been believed and its time is not over.
func (b *believedTokens) claims(token string, now time.Time) (*tokenClaims, bool) {
	hash := sha256.Sum256([]byte(token))
	b.mu.RLock()
	defer b.mu.RUnlock()
	claims, known := b.byHash[hash]
	return claims, known && now.Before(claims.ExpiresAt.Time)
}

// add remembers what a token says that has just been checked. If there is no room, those whose
// time is over are forgotten, or else any other one.
func (b *believedTokens) add(token string, claims *tokenClaims, now time.Time) {
	hash := sha256.Sum256([]byte(token))
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.byHash) >= maxBelieved {
		b.makeRoom(now)
	}
	b.byHash[hash] = claims
}

func (b *believedTokens) makeRoom(now time.Time) {
	for hash, claims := range b.byHash {
		if !now.Before(claims.ExpiresAt.Time) {
			delete(b.byHash, hash)
		}
	}
	for hash := range b.byHash {
		if len(b.byHash) < maxBelieved {
			return
		}
		delete(b.byHash, hash)
	}
}
