package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// foreign is the format of another program, in which the key is the id.
type foreign struct{}

func (foreign) NewID() string                 { return rand.Text() }
func (foreign) ValidID(id string) bool        { return len(id) == len(rand.Text()) }
func (foreign) Key(id string) string          { return id }
func (foreign) Digest(_, value string) string { return value }

func (foreign) Attributes(_ string, data []byte) (attrs map[string]any, err error) {
	return attrs, json.Unmarshal(data, &attrs)
}

func (f foreign) Apply(_ string, old []byte, c driver.Changes) ([]byte, error) {
	attrs := make(map[string]any)
	if old != nil && !c.Clear {
		if err := json.Unmarshal(old, &attrs); err != nil {
			return nil, err
		}
	}
	maps.Copy(attrs, c.Set)
	for _, name := range c.Delete {
		delete(attrs, name)
	}
	return json.Marshal(attrs)
}

// A class that shares sessions with another program is checked as well, and an
// id that its driver prints by mistake is not passed on.
func TestCheckupOfAForeignFormat(t *testing.T) {
	for _, op := range []string{"", "create", "load", "replace", "touch", "delete"} {
		t.Run("failing "+op, func(t *testing.T) {
			s := newSpoilt(t, func(_ string, execute func() error) error { return execute() })
			c := &checkup{timeout: time.Minute, open: func(_ context.Context, o *session.Options) (*session.Manager, error) {
				o.Format = foreign{}
				return session.New(telling{s, op}, o)
			}}
			r := c.run(t.Context(), "Test")
			assert.Equal(t, op == "", r.OK, "%+v", r.Operations)
			require.NotEmpty(t, c.secrets)
			printed, err := json.Marshal(r)
			require.NoError(t, err)
			for _, id := range c.secrets {
				assert.NotContains(t, string(printed), id)
			}
			if op != "" {
				assert.Contains(t, string(printed), "[secret] is cursed")
			}
			if op != "delete" {
				assert.Zero(t, s.records())
			}
		})
	}
}

// telling is a store whose errors quote the key.
type telling struct {
	*spoilt
	op string
}

func (s telling) fail(op, key string) error {
	if op != s.op {
		return nil
	}
	return driver.NotApplied(fmt.Errorf("%s is cursed", key))
}

func (s telling) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	if err := s.fail("create", rec.Key); err != nil {
		return "", err
	}
	return s.spoilt.Create(ctx, rec)
}

func (s telling) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	if err := s.fail("load", key); err != nil {
		return driver.Record{}, "", err
	}
	return s.spoilt.Load(ctx, key)
}

func (s telling) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if err := s.fail("replace", rec.Key); err != nil {
		return "", err
	}
	return s.spoilt.Replace(ctx, rec, old)
}

func (s telling) Touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if err := s.fail("touch", rec.Key); err != nil {
		return "", err
	}
	return s.spoilt.Touch(ctx, rec, old)
}

func (s telling) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	if err := s.fail("delete", rec.Key); err != nil {
		return err
	}
	return s.spoilt.Delete(ctx, rec, old)
}
