// Package roster keeps a study's participants in memory, in columns, so that queries over a
// million of them are answered in milliseconds: any text, any filter, any order, any page, with
// the exact total.
//
// It owns the columns, the text index over them and what it remembers of earlier queries. It
// knows no database and no lock: whoever keeps a roster puts every change into it, and lets
// nobody ask meanwhile. A roster is a copy of what is stored and can be made anew at any time.
package roster
