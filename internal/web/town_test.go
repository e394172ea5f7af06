package web

import (
	"fmt"
	"math/rand/v2"
	"time"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// The names of those who live in the town of tests; nobody of them is anybody.
var (
	givenNames  = []string{"Ada", "Grace", "Katherine", "Mary", "Dorothy", "Alan", "Edsger", "Barbara", "Frances", "Donald", "Radia", "Ken", "José", "Zoë", "Łukasz", "Mei"}
	familyNames = []string{"Hopper", "Johnson", "Jackson", "Vaughan", "Turing", "Liskov", "Allen", "Knuth", "Perlman", "Nilsson", "García", "Müller", "Nowak", "Chen", "Okonkwo-Fitzgerald"}
)

// oddPerson is somebody whose every value would do something if a page let it.
var oddPerson = map[registry.Field]string{
	registry.FirstName: "<script>alert(1)</script>", registry.LastName: `=HYPERLINK("http://x","y")`, registry.MiddleName: "\u202Eever\u202C \u200Fשלום",
	registry.City: "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", registry.Street1: `"><img src=x onerror=alert(1)>`, registry.State: "+1+1", registry.Country: "@SUM(1)",
	registry.Email: "odd@example.org", registry.MobilePhone: "+1 5550009999", registry.SecondaryID: "{{.Title}}",
}

// town fills Juno with sixty people over a year and one odd one, the last of the answer.
func (w *world) town() []*registry.Participant {
	w.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	study := w.study(junoOID)
	end := w.clock()
	var people []*registry.Participant
	for i := range 60 {
		w.mu.Lock()
		w.now = end.Add(-time.Duration(60-i) * 6 * 24 * time.Hour).Add(time.Duration(random.IntN(600)) * time.Minute)
		w.mu.Unlock()
		c := w.staffAdds(fmt.Sprintf("JUNO-%03d", i+1), study.Sites[random.IntN(2)].ID)
		first, last := givenNames[i%len(givenNames)], familyNames[random.IntN(len(familyNames))]
		if i == 3 {
			first, last = "Mary", "Jackson"
			c.Edits.Set(registry.Email, "m.jackson@example.org")
		} else {
			c.Edits.Set(registry.Email, fmt.Sprintf("p%03d@example.org", i))
		}
		c.Edits.Set(registry.FirstName, first)
		c.Edits.Set(registry.LastName, last)
		c.Edits.Set(registry.Gender, []string{"F", "M", "O"}[random.IntN(3)])
		c.Edits.Set(registry.DateOfBirth, fmt.Sprintf("%d-%02d-%02d", 1950+random.IntN(55), 1+random.IntN(12), 1+random.IntN(28)))
		c.Edits.Set(registry.MobilePhone, fmt.Sprintf("+1 555%07d", random.IntN(10_000_000)))
		c.Custom = map[string]string{"Smoker": fmt.Sprint(random.IntN(3)), "Consented": "true"}
		c.Register = i%3 == 0
		people = append(people, w.apply(c))
		if i%4 != 2 {
			w.apply(registry.Change{Action: registry.Enroll, Profile: registry.Staff(), ID: people[i].ID, Origin: audit.Origin{Actor: "dana", Role: "data manager", Dialect: "web"}})
		}
	}
	w.mu.Lock()
	w.now = end
	w.mu.Unlock()
	c := w.staffAdds("ODD-1", study.Sites[0].ID)
	for f, value := range oddPerson {
		c.Edits.Set(f, value)
	}
	c.Custom = map[string]string{"FavoriteColor": "<b>blue</b>\n=1+1"}
	return append(people, w.apply(c))
}

func (w *world) staffAdds(identifier string, site registry.SiteID) registry.Change {
	return registry.Change{
		Profile: registry.Staff(), Identifier: identifier, Place: registry.At(site), AddOnly: true,
		Origin: audit.Origin{Actor: "emil", Role: "data entry person", Dialect: "openclinica"},
	}
}

// apply makes a change of Juno, which has to work.
func (w *world) apply(c registry.Change) *registry.Participant {
	w.Helper()
	results, err := w.registry.Apply(w.Context(), w.study(junoOID).ID, c)
	w.must(err)
	if results[0].Err != nil {
		w.Fatalf("%s: %v", c.Identifier, results[0].Err)
	}
	return results[0].Participant
}
