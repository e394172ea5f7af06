package main

import (
	"fmt"
	"strconv"
	"strings"
)

// leastPeople is how small a registry can be for the operations to have anything to do.
const leastPeople = 1000

// person is a made-up participant. All follows from the number.
type person struct {
	n           int
	first, last string
}

var (
	firstNames = strings.Fields("Anneliese Bram Carmen Dmitri Eleanor Farid Greta Hiroshi Ingrid Jamal Katarzyna Liam Marisol Noah Olena Pablo " +
		"Quentin Rosalind Sanjay Tamsin Ulrich Valentina Wendell Ximena Yusuf Zora Amara Benedikt Chiara Dagny Emeka Freya")
	nameBegins = strings.Fields("Ober Unter Stein Wald Berg Hoch Nieder Lang Klein Neu Alt Roth Weiss Gold Silber Eisen " +
		"Grün Schwarz Linden Eichen Birken Hasel Falken Adler Wolfs Hirsch Winter Sommer Morgen Abend Stern Mond")
	nameEnds = strings.Fields("hauser mann berger bauer feld stein bach wald dorfer inger meier schmidt holz huber müller kamp " +
		"hofer thaler egger furt burg heimer stetter brunner eder reuter grund tal auer horst brink rode")
	cities = strings.Fields("Springfield Ames Boston Dayton Toledo Akron Salem Dover Lincoln Madison Boise Fargo Helena Juneau Laramie Macon")
	states = strings.Fields("AK AL AR AZ CA CO CT DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH NJ NM NV NY OH")
	colors = strings.Fields("amber blue crimson denim emerald fuchsia gray hazel indigo jade khaki lilac")
	zones  = strings.Fields("America/New_York America/Chicago America/Denver America/Los_Angeles Europe/Berlin")
)

// scattered is a number that follows from another one in no visible order, and from no other.
func scattered(n int) uint32 { return uint32(n) * 2_654_435_761 } //nolint:gosec // it wraps around as it should

func personNumber(n int) person {
	h := int(scattered(n) >> 8)
	return person{
		n: n, first: firstNames[h%len(firstNames)],
		last: nameBegins[h/37%len(nameBegins)] + nameEnds[h/1901%len(nameEnds)],
	}
}

// identifier comes in no order, as in the files that sites send.
func (p person) identifier() string { return fmt.Sprintf("P-%08X", scattered(p.n)) }
func (p person) email() string {
	return strings.ToLower(p.first) + "." + strconv.Itoa(p.n) + "@example.org"
}
func (p person) phone() string     { return fmt.Sprintf("+1 %010d", 2_000_000_000+p.n) }
func (p person) secondary() string { return fmt.Sprintf("H-%07d", p.n*7919%10_000_000) }

// fields are the values beside the identifier, as names and values in turns. The first three
// dozen letters of the alphabet are enough for JSON: nothing in them needs escaping.
func (p person) demographics() []string {
	h := int(scattered(p.n + 1_000_003))
	return []string{
		"firstName", p.first, "middleName", string(rune('A' + h%26)), "lastName", p.last, "email", p.email(), "mobilePhone", p.phone(),
		"street1", strconv.Itoa(1+h%300) + " Long Lane", "city", cities[h/7%len(cities)], "state", states[h/3%len(states)],
		"postalCode", fmt.Sprintf("%05d", h%100_000), "dateOfBirth", fmt.Sprintf("%04d-%02d-%02d", 1930+h%75, 1+h/75%12, 1+h/900%28),
		"gender", string("MFO"[h/11%3]), "preferredLanguage", []string{"en", "es", "de"}[h/13%3],
		"timeZone", zones[h/17%len(zones)], "utcOffset", "-05:00:00", "unsubscribedFromEmails", strconv.FormatBool(h%5 == 0),
		"unsubscribedFromSms", strconv.FormatBool(h%7 == 0),
	}
}

func (p person) custom() []string {
	h := int(scattered(p.n + 2_000_003))
	return []string{
		"SecondaryIdentifier", p.secondary(), "Smoker", strconv.Itoa(h % 40), "FavoriteColor", colors[h/40%len(colors)],
		"Consented", strconv.FormatBool(h%3 == 0), "Weight", fmt.Sprintf("%d.%d", 40+h%80, h/80%10),
		"SurgeryDate", fmt.Sprintf("%04d-%02d-%02d", 2015+h%10, 1+h/10%12, 1+h/120%28),
	}
}

// invitation is a status of some people; JSON.
func (p person) invitation() string {
	return []string{"null", `"pending"`, `"approved"`, `"declined"`}[scattered(p.n)>>5%4]
}

// appendObject writes the names and values as a JSON object.
func appendObject(to []byte, pairs []string) []byte {
	to = append(to, '{')
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(to, '"')
		to = append(to, pairs[i]...)
		to = append(to, `":"`...)
		to = append(to, pairs[i+1]...)
		to = append(to, '"')
	}
	return append(to, '}')
}

// appendCSV writes the line of a bulk file, see csvHeader.
func (p person) appendCSV(to []byte) []byte {
	return fmt.Appendf(to, "%s,%s,%s,%s,%s,%s\n", p.identifier(), p.first, p.last, p.email(), p.phone(), p.secondary())
}

const csvHeader = "ParticipantID,firstName,lastName,emailAddress,mobileNumber,identifier\n"

// appendClinic writes the person as OpenClinica's clients add one.
func (p person) appendClinic(to []byte) []byte {
	return appendObject(to, []string{
		"subjectKey", p.identifier(), "firstName", p.first, "lastName", p.last, "emailAddress", p.email(),
		"phoneNumber", p.phone(), "secondaryId", p.secondary(),
	})
}

// appendProject writes the person as MyDataHelps' clients add one, at the site of the study.
func (p person) appendProject(to []byte) []byte {
	to = fmt.Appendf(to, `{"participantIdentifier":%q,"institutionCode":%q,"invitationStatus":%s,"demographics":`,
		p.identifier(), siteCode, p.invitation())
	to = appendObject(to, p.demographics())
	to = append(to, `,"customFields":`...)
	return append(appendObject(to, p.custom()), '}')
}

// withLastName counts who has the name among the first so many people.
func withLastName(name string, people int) int {
	count := 0
	for n := range people {
		if personNumber(n).last == name {
			count++
		}
	}
	return count
}
