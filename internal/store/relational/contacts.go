package relational

import (
	"context"
	"database/sql"

	"rollcall/internal/registry"
)

// A page is read along the index of sites. It may go on into another site, where it ends: as a
// condition that would have an engine think of other ways.
const contactsFrom = `SELECT study_id, site_id, seq, id, identifier, first_name, last_name, email, mobile_phone, secondary_id,
	status, participate, access_code, withdrawn_at
	FROM participants WHERE (study_id, site_id, seq) > ($1, $2, $3) ORDER BY study_id, site_id, seq LIMIT $4`

// Contacts implements registry.Reader.
func (db *DB) Contacts(ctx context.Context, study registry.StudyID, site registry.SiteID, afterSeq int64, limit int) (*registry.ContactList, error) {
	list := &registry.ContactList{}
	err := db.engine.Snapshot(ctx, func(in Querier) error {
		at, err := readPosition(ctx, in, study)
		if err != nil {
			return err
		}
		list.State, list.Contacts = at.events, make([]registry.Contact, 0, max(limit, 0))
		return each(ctx, in, scanContact, func(c contactRow) error {
			if c.study == study && c.site == site {
				list.Contacts = append(list.Contacts, c.Contact)
			}
			return nil
		}, contactsFrom, int64(study), int64(site), afterSeq, max(limit, 0))
	})
	if err != nil {
		return nil, db.engine.Classify("list contacts", err)
	}
	return list, nil
}

// contactRow is a contact with where it is.
type contactRow struct {
	registry.Contact
	study registry.StudyID
	site  registry.SiteID
}

func scanContact(row scanner) (contactRow, error) {
	var c contactRow
	var withdrawn sql.NullInt64
	var code []byte
	err := row.Scan(&c.study, &c.site, &c.Seq, &c.ID, &c.Identifier, &c.FirstName, &c.LastName, &c.Email, &c.MobilePhone, &c.SecondaryID,
		(*string)(&c.Status), (*string)(&c.Participate), &code, &withdrawn)
	c.AccessCode, c.Withdrawn = code, withdrawn.Valid
	return c, err
}
