// Package web owns the browser interface: its addresses, pages, forms, downloads and words. It
// stands beside the dialects, on the same services, and like them it translates: a form becomes
// a [registry.Change], an answer a page. It knows no rule about participants and no SQL, and who
// may do what is asked of package access each time.
//
// Each page has a file here with its view struct and its handlers, and a template of the same
// name. A view holds nothing that its reader may not see: what is not in it cannot be shown by a
// mistake in a template. All texts are in the catalogue, see [catalogue].
package web
