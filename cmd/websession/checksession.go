package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/websession/websession/session"
)

// checkUser is the index field that the session of a checkup has a value of.
const checkUser = "user"

// id answers the newest id of the session.
func (c *checkup) id() session.ID { return c.ids[len(c.ids)-1] }

// get loads the session as it is after the header of an answer: it has no lock,
// where the store locks, so that several can be had at the same time.
func (c *checkup) get(ctx context.Context) (*session.Session, error) {
	s, err := c.manager.Load(ctx, c.id())
	if err == nil {
		s.Seal()
	}
	return s, err
}

// set sets an attribute that the session must have once it is saved.
func (c *checkup) set(s *session.Session, name, value string) error {
	c.saved[name] = value
	return session.NewKey[string](name).Set(s, value)
}

// compare reports how a session differs from what was saved.
func (c *checkup) compare(s *session.Session) error {
	for name, want := range c.saved {
		got, err := session.NewKey[string](name).Get(s)
		if err == nil && got != want {
			err = errors.New("it has another value")
		}
		if err != nil {
			return fmt.Errorf("attribute %q is not what was saved: %w", name, err)
		}
	}
	return nil
}

// compareStored is compare for the session as it is stored.
func (c *checkup) compareStored(ctx context.Context) error {
	s, err := c.get(ctx)
	if err != nil {
		return err
	}
	return c.compare(s)
}

// gone reports why the session is not gone.
func (c *checkup) gone(ctx context.Context) error {
	if _, err := c.get(ctx); !errors.Is(err, session.ErrNotFound) {
		return orElse(err, "the session is there")
	}
	return nil
}

// orElse answers err, or what is wrong if there is none.
func orElse(err error, wrong string) error {
	if err == nil {
		err = errors.New(wrong)
	}
	return err
}
