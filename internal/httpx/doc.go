// Package httpx owns the HTTP plumbing that every edge shares: the one place where an error
// becomes an answer ([Adapt]), what each request passes before its route is sought ([Front]:
// request id, path, deadlines, access record, metrics), the routes ([Mux]), body limits
// ([Body]), health ([Health]), a log without personal values ([NewRedactingHandler]) and the
// listening server ([Serve]).
//
// It knows no dialect, no participant and no storage: a dialect brings its own [Renderer]
// and its own routes.
//
// A server is put together from the outside in:
//
//	Serve -> Front.Wrap -> Mux -> Adapt(render) -> HandlerFunc
package httpx
