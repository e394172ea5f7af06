// Package openclinica is the OpenClinica dialect: the participant API that OpenClinica's users
// script against. It owns that API's URLs, wire structs, error codes, CSV contracts and quirks,
// and translates requests into changes and queries of the registry, and results into wire
// answers. It holds no rule about participants and knows no storage and no other dialect.
//
// README.md tells the behaviour as implemented, divergences.md where it differs from the
// original. "spec" in comments means the vendor's pages, by chapter.
package openclinica
