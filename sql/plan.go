package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Plans answers how the database will carry out the statements that look for
// rows by an index: "load", "scan", "purge", and "search " and a field for each.
// It is for tests and for people who wonder why something is slow.
func (s *Store) Plans(ctx context.Context) (map[string]string, error) {
	const op = "explain"
	if err := s.enterRead(ctx); err != nil {
		return nil, s.fail(op, err)
	}
	defer s.life.RUnlock()
	plans := make(map[string]string)
	explain := func(name, text string, args ...any) error {
		for i, a := range args {
			if text, ok := a.(string); ok {
				args[i] = s.bind(text)
			}
		}
		rows, err := s.db.QueryContext(ctx, s.dialect.Explain+text, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		plans[name], err = lastColumn(rows)
		return err
	}
	err := explain("load", s.texts.load, "key")
	err = errors.Join(err, explain("scan", s.texts.scan, "key", 1))
	err = errors.Join(err, explain("purge", s.texts.mutation[purgeRows], 0, 1))
	for i, f := range s.fields {
		err = errors.Join(err, explain("search "+f, s.texts.searches[i], "digest", "key", 1))
	}
	if err != nil {
		return nil, s.fail(op, err)
	}
	return plans, nil
}

// lastColumn answers the last column of all rows, a line each.
func lastColumn(rows *sql.Rows) (string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values := make([]any, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	var lines []string
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return "", err
		}
		last := values[len(values)-1]
		if b, ok := last.([]byte); ok {
			last = string(b)
		}
		lines = append(lines, fmt.Sprint(last))
	}
	return strings.Join(lines, "\n"), rows.Err()
}
