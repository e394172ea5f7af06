package relational

import (
	"context"
	"database/sql"

	"rollcall/internal/registry"
)

const contactsAt = `SELECT seq, id, identifier, first_name, last_name, email, mobile_phone, secondary_id,
		status, participate, access_code, withdrawn_at FROM
		(SELECT * FROM participants WHERE (study_id, site_id, seq) > ($1, $2, $3) ORDER BY study_id, site_id, seq LIMIT $4) AS page
		WHERE study_id = $1 AND site_id = $2 ORDER BY seq` // along an index, see eventsOfStudy

// Contacts implements registry.Reader.
func (db *DB) Contacts(ctx context.Context, study registry.StudyID, site registry.SiteID, afterSeq int64, limit int) (*registry.ContactList, error) {
	list := &registry.ContactList{}
	err := db.engine.Snapshot(ctx, func(in Querier) error {
		at, err := readPosition(ctx, in, study)
		if err != nil {
			return err
		}
		list.State = at.events
		list.Contacts, err = query(ctx, in, scanContact, contactsAt, int64(study), int64(site), afterSeq, max(limit, 0))
		return err
	})
	if err != nil {
		return nil, db.engine.Classify("list contacts", err)
	}
	return list, nil
}

func scanContact(row scanner) (registry.Contact, error) {
	var c registry.Contact
	var withdrawn sql.NullInt64
	var code []byte
	err := row.Scan(&c.Seq, &c.ID, &c.Identifier, &c.FirstName, &c.LastName, &c.Email, &c.MobilePhone, &c.SecondaryID,
		(*string)(&c.Status), (*string)(&c.Participate), &code, &withdrawn)
	c.AccessCode, c.Withdrawn = code, withdrawn.Valid
	return c, err
}
