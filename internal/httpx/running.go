package httpx

import (
	"net/http"
	"sync"
	"time"
)

// running counts the requests that a handler has not answered yet.
type running struct {
	next http.Handler

	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to zero; nil while nobody waits
}

func newRunning(next http.Handler) *running { return &running{next: next} }

func (c *running) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.add(1)
	defer c.add(-1)
	c.next.ServeHTTP(w, r)
}

func (c *running) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	if c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

func (c *running) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// wait reports whether no request was running within d. Only one caller waits at a time.
func (c *running) wait(d time.Duration) bool {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return true
	}
	idle := make(chan struct{})
	c.idle = idle
	c.mu.Unlock()

	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-idle:
		return true
	case <-timer.C:
		return false
	}
}
