// Package pgtest is test support: it starts real PostgreSQL servers, replicas of them, poolers
// in front of them and proxies that fail at a chosen moment, all on the loopback address, and
// ends them with the test process, however that ends. It knows nothing of Rollcall's schema;
// what a new database holds, a function that is passed in prepares.
//
// Most packages share one server, and give each test a database of its own:
//
//	var postgres = pgtest.Share()
//
//	func TestMain(m *testing.M) { os.Exit(postgres.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		t.Parallel()
//		url := postgres.Database(t)
//
// A test that stops its server, or promotes a replica, starts one for itself with [Start].
// Where PostgreSQL is not installed the test fails: scripts/install-test-needs.sh installs it,
// and `make test` calls that.
//
// Everything is bounded in time: a start by 30 seconds, an end by 10.
package pgtest
