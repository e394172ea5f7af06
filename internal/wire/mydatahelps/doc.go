// Package mydatahelps is the MyDataHelps dialect: the participant administration API that
// MyDataHelps' customers script against, and the token endpoint that goes with it. It owns
// that API's URLs, wire objects, parameters, error bodies, request budget and quirks, and
// translates requests into changes and queries of the registry, and results into wire answers.
// It holds no rule about participants and knows no storage and no other dialect.
//
// README.md tells the behaviour as implemented, divergences.md where the vendor's page is
// silent or contradicts itself and what was chosen. "Spec" in comments means the vendor's page,
// by chapter.
package mydatahelps
