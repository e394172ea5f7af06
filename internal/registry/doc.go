// Package registry is the domain: studies, sites and participants, and every rule about them.
//
// Every change to participants goes through [Decide], which is pure: it is given the study,
// what the store knows about exactly the participants that the changes name, and the changes,
// and it answers per change with the new participant and its audit events, or with a domain
// error. [Service.Apply] is the one way in: it loads, decides and writes in one transaction.
//
// The package knows no HTTP, no SQL and no dialect's words. What a dialect promises about
// fields (lengths, patterns, what an empty value means) is a [Profile] value that lives here,
// beside Decide; a [Change] says under which profile it is made. It declares the [Store] that
// it needs; store/sqlite provides it.
package registry
