package mydatahelps

import (
	"fmt"
	"strings"
	"testing"

	"rollcall/internal/registry"
)

// bulkBody is a bulk of n participants with every demographic and six custom fields.
func bulkBody(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"participants":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"participantIdentifier":"P-%06d","secondaryIdentifier":"S-%06d","institutionCode":"BOSTON",`+
			`"invitationStatus":"pending","excludeFromExport":false,"demographics":{`, i, i)
		for j, d := range demographics {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `%q:"%s of %d"`, d.name, d.name, i)
		}
		fmt.Fprintf(&b, `},"customFields":{"Note":"n\u00e4chster Besuch %d","Smoker":%d,"Weight":%d.5,`+
			`"Consented":true,"SurgeryDate":"2021-08-10","Unit":"Zürich"}}`, i, i%5, 50+i%60)
	}
	b.WriteString(`],"sendDefaultInvitationNotifications":false}`)
	return []byte(b.String())
}

func BenchmarkBulkBody(b *testing.B) {
	study := newWorld(b).study("S_JUNO")
	body := bulkBody(500)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		reader, err := newBodyReader(body)
		if err != nil {
			b.Fatal(err)
		}
		changes, err := reader.bulk(study, registry.Change{Profile: registry.MyDataHelps()})
		if err != nil || len(changes) != 500 {
			b.Fatalf("%d changes, %v", len(changes), err)
		}
	}
}
