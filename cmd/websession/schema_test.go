package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

// tabular is a driver that has a schema.
type tabular struct{}

func (tabular) Class() driver.Class { return driver.Class{Name: "Tabular"} }

func (tabular) Configure(d *driver.Decoder) (driver.Connector, error) {
	d.Required("place", "where it is")
	return tables{d.String("table", "sessions", "the table")}, nil
}

type tables struct{ name string }

func (tables) Open(context.Context, driver.OpenOptions) (driver.Store, error) {
	return nil, errors.New("schema opened a store")
}

func (t tables) Schema(indexed []string) ([]string, error) {
	list := []string{"CREATE TABLE " + t.name + " (\n  id INT\n);\n"}
	for _, f := range indexed {
		if f == "1" {
			return nil, errors.New("no such column")
		}
		list = append(list, "CREATE INDEX ix_"+f+" ON "+t.name)
	}
	return list, nil
}

// absent is a driver that answers nothing without its property.
type absent struct{ tabular }

func (absent) Configure(d *driver.Decoder) (driver.Connector, error) {
	d.Required("place", "where it is")
	return nil, nil
}

func TestSchemaOfAClass(t *testing.T) {
	made, has, err := schemaOf(tabular{}, map[string]any{"table": "mine"}, []string{"user", "tenant"})
	require.NoError(t, err)
	require.True(t, has)
	assert.Equal(t, "CREATE TABLE mine (\n  id INT\n);\nCREATE INDEX ix_user ON mine;\nCREATE INDEX ix_tenant ON mine;\n",
		schemaResult{Statements: made}.text())

	made, _, err = schemaOf(tabular{}, nil, []string{""})
	require.NoError(t, err)
	assert.Len(t, made, 1, "an empty field means none")

	_, _, err = schemaOf(tabular{}, nil, []string{"1"})
	assert.EqualError(t, err, "class Tabular: no such column")
	_, _, err = schemaOf(absent{}, nil, nil)
	assert.ErrorContains(t, err, `property "place" is missing`)
}

// Every class has a schema that can be printed without a server, or none.
func TestSchemaCommand(t *testing.T) {
	for _, d := range driver.Registered() {
		class := d.Class().Name
		code, stdout, stderr := execute(t, "schema", "--class", class)
		require.Equal(t, exitOK, code, stderr)
		_, has, err := schemaOf(d, nil, []string{"user"})
		require.NoError(t, err)
		if has {
			assert.True(t, strings.HasSuffix(stdout, ";\n"), stdout)
		} else {
			assert.Equal(t, "class "+class+" has no schema: it makes what it needs\n", stdout)
		}
		code, stdout, stderr = execute(t, "schema", "--json", "--class", class)
		require.Equal(t, exitOK, code, stderr)
		var got schemaResult
		require.NoError(t, json.Unmarshal([]byte(stdout), &got))
		assert.Equal(t, class, got.Class)
		assert.NotNil(t, got.Statements)
		assert.Equal(t, has, len(got.Statements) > 0)
	}
}
