package servertest

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	websql "github.com/websession/websession/sql"
)

// MissingColumn opens a table with more index fields than it was made for: the
// error has the statements that add them. dropIndex drops an index of one.
func (c Class) MissingColumn(t *testing.T, p Place, dropIndex string) {
	c.Open(t, p.Properties)
	fields := []string{"user", "account", "Group1"}
	err := c.Refused(t, p.Properties, fields...)
	require.ErrorContains(t, err, `the table "websession_sessions" has no column for an index field (ix_account, ix_Group1): run: `)
	_, statements, _ := strings.Cut(err.Error(), "run: ")
	db := c.Bare(t, p.DSN)
	Exec(t, db, strings.Split(strings.TrimSuffix(statements, ";"), "; ")...)
	s := c.Open(t, p.Properties, fields...)
	rec := Record("k", "v")
	rec.Index["Group1"] = "g"
	Create(t, s, rec)
	for got, err := range s.Search(background, "Group1", "g") {
		require.NoError(t, err)
		require.Equal(t, rec, got)
	}

	Exec(t, db, dropIndex)
	_, remarks := c.Warned(t, p.Properties, fields...)
	require.Contains(t, remarks, "The column ix_account of the table \"websession_sessions\" has no index")
}

// NewerSchema opens a table that a newer program made, and one of which somebody
// has renamed the column data, by this statement.
func (c Class) NewerSchema(t *testing.T, p Place, rename string) {
	db := c.Bare(t, p.DSN)
	s := c.Open(t, p.Properties)
	Create(t, s, Record("k", "v"))
	Exec(t, db, "UPDATE websession_meta SET schema_version = 2 WHERE table_name = 'websession_sessions'")
	require.ErrorContains(t, c.Refused(t, p.Properties), `the table "websession_sessions" has the schema version 2, and this program knows versions up to 1`)
	MustHold(t, s, "k", "v")
	Exec(t, db, "UPDATE websession_meta SET schema_version = 1", rename)
	require.ErrorContains(t, c.Refused(t, p.Properties), "has no column data: somebody has changed it")
}

// SchemaByHand runs the statements for people: they make a table that works.
func (c Class) SchemaByHand(t *testing.T, p Place) {
	connector, err := c.configure(p.Properties)
	require.NoError(t, err)
	list, err := connector.(interface {
		Schema([]string) ([]string, error)
	}).Schema([]string{"user"})
	require.NoError(t, err)
	Exec(t, c.Bare(t, p.DSN), list...)
	Create(t, c.Open(t, p.Properties), Record("k", "v"))
}

// BorrowedPool does all that a store does in a pool of the application, which
// stays open. It answers the remarks.
func (c Class) BorrowedPool(t *testing.T, db *sql.DB) string {
	var remarks []string
	s, err := websql.New(db, c.Dialect, &websql.Options{Indexed: []string{"user"}, Warn: func(r string) { remarks = append(remarks, r) }})
	require.NoError(t, err)
	rec := Record("k", "v")
	v := Create(t, s, rec)
	got, _, err := s.Load(background, "k")
	require.NoError(t, err)
	require.Equal(t, rec, got)
	for range 2 { // the second time the same values once more
		v, err = s.Touch(background, rec, v)
		require.NoError(t, err)
	}
	require.NoError(t, s.Delete(background, rec, v))
	Create(t, s, Record("n", "0"))
	Increments(t, s, "n", 8, 25)
	require.NoError(t, s.Delete(background, Record("n", ""), ""))
	require.NoError(t, s.Close())
	require.NoError(t, db.Ping())
	require.Equal(t, 0, db.Stats().InUse)

	_, err = websql.New(db, c.Dialect, &websql.Options{Locks: db})
	require.ErrorContains(t, err, "the pool that holds locks must not be that of the store")
	return strings.Join(remarks, "\n")
}
