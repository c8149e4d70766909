package conformance

import (
	"bytes"
	"time"

	"github.com/websession/websession/session"
)

func clockCases() []testCase {
	return []testCase{
		appCase("Expiry/ClocksMayDiffer",
			"a server whose clock is behind must not bring nearer what the others have promised, nor end what they keep alive",
			clocksMayDiffer),
		appCase("Expiry/ClockJumps",
			"a clock that is set wrong for a while, and right again, must cost nobody a session that other servers keep",
			clockJumps),
	}
}

func clocksMayDiffer(a *app) {
	const skew = 60 * time.Second
	behind := &clock{now: a.clock.Now().Add(-skew)}
	ahead := a.server()
	a.opts.Now = behind.Now
	late := a.server()
	s := a.visit(ahead)
	end := s.Deadline()
	expires := s.Expires()
	for i := range 20 {
		for _, m := range []*session.Manager{late, ahead, late} {
			got := a.load(m, s.ID())
			if i%2 == 0 {
				a.need("Set", countKey.Set(got, int64(i)))
			}
			a.save(got)
			now := a.load(ahead, s.ID())
			if now.Expires().Before(expires) || now.Expires().After(end) || !now.Deadline().Equal(end) {
				a.fail("a server whose clock is %v behind moved the deadline from %v to %v, the end from %v to %v",
					skew, expires, now.Expires(), end, now.Deadline())
			}
			expires = now.Expires()
		}
		a.clock.Advance(a.opts.Idle / 10)
		behind.Advance(a.opts.Idle / 10)
	}
	a.need("Renew", s.Renew(a.Context()))
	holds(a, a.load(late, s.ID()), colorKey, "red")
	young := a.visit(late)
	holds(a, a.load(ahead, young.ID()), colorKey, "red")
	for _, m := range []*session.Manager{ahead, late} {
		if _, err := m.Purge(a.Context()); err != nil {
			a.fail("Purge: %v", err)
		}
		holds(a, a.load(m, s.ID()), colorKey, "red")
		holds(a, a.load(m, young.ID()), colorKey, "red")
	}
}

// clockJumps sets the clock of one of two servers months ahead, half an idle
// time-out ahead, and hours back, each time for a while.
func clockJumps(a *app) {
	wrong := &clock{now: a.clock.Now()}
	right := a.server()
	a.opts.Now = wrong.Now
	node := a.server()
	store := a.open()
	s := a.visitOf(right, "ada")
	end, created := s.Deadline(), s.Created()
	unchanged := func(when string, do func()) {
		a.Helper()
		rec, v := a.record(store, keyOf(s))
		do()
		if now, nowV := a.record(store, rec.Key); nowV != v || !bytes.Equal(now.Data, rec.Data) || !now.Expires.Equal(rec.Expires) {
			a.fail("%s changed the record", when)
		}
	}
	changed, read := a.load(node, s.ID()), a.load(node, s.ID())

	// So far ahead that every session has ended. Nothing is purged: Purge goes by
	// the clock that it is given.
	const jump = 60 * 24 * time.Hour
	wrong.Advance(jump)
	unchanged("a server for which a session has ended", func() {
		a.dead(node, s.ID(), "where the clock is far ahead")
		a.notFound("Update where the clock is far ahead", node.Update(a.Context(), s.ID(), increment))
		a.notFound("Save where the clock is far ahead", a.setSave(changed, colorKey, "blue"))
		a.need("Save of a session that was only read", read.Save(a.Context()))
		a.notFound("Renew where the clock is far ahead", changed.Renew(a.Context()))
	})
	holds(a, a.load(right, s.ID()), colorKey, "red")
	fresh := a.visit(node)
	if got := a.load(right, fresh.ID()); !got.Expires().Equal(wrong.Now().Add(a.opts.Idle)) || !got.Deadline().Equal(wrong.Now().Add(a.opts.Absolute)) {
		a.fail("a session that was created %v ahead expires %v, ends %v", jump, got.Expires(), got.Deadline())
	}
	wrong.Advance(-jump)
	holds(a, a.load(node, s.ID()), colorKey, "red")
	for _, m := range []*session.Manager{node, right} {
		expires := a.load(m, fresh.ID()).Expires()
		a.need("Save", a.setSave(a.load(m, fresh.ID()), shapeKey, "round"))
		if got := a.load(m, fresh.ID()).Expires(); got.Before(expires) {
			a.fail("a save brought a deadline nearer, from %v to %v", expires, got)
		}
	}

	// The deadline that was stored stays, or moves away.
	uses := func(when string) {
		a.Helper()
		for _, m := range []*session.Manager{node, right} {
			for _, change := range []bool{false, true} {
				was, got := a.load(m, s.ID()).Expires(), a.load(m, s.ID())
				if change {
					a.need("Set", countKey.Set(got, countKey.GetOr(got, 0)+1))
				}
				a.save(got)
				now := a.load(right, s.ID())
				if now.Expires().Before(was) || now.Expires().After(end) || !now.Deadline().Equal(end) || !now.Created().Equal(created) {
					a.fail("%s: a session of %v that expires %v and ends %v was used, and now is of %v, expires %v and ends %v",
						when, created, was, end, now.Created(), now.Expires(), now.Deadline())
				}
				if m.Now().Add(a.opts.Idle).After(now.Expires()) && now.Expires().Before(end) && change {
					a.fail("%s: a session that was changed expires %v, less than the idle time-out later", when, now.Expires())
				}
			}
		}
	}
	for _, jump := range []time.Duration{a.opts.Idle / 2, -a.opts.Idle / 2, -10 * time.Hour, time.Second, -time.Second} {
		wrong.Advance(jump)
		uses("while a clock was off by " + jump.String())
		wrong.Advance(-jump)
		uses("after a clock was off by " + jump.String())
		a.clock.Advance(a.opts.Idle / 3)
		wrong.Advance(a.opts.Idle / 3)
		uses("later")
	}
	wrong.Advance(-10 * time.Hour)
	a.need("Renew", s.Renew(a.Context()))
	changed = a.load(node, s.ID())
	a.need("Renew where the clock is behind", changed.Renew(a.Context()))
	if got := a.load(right, changed.ID()); !got.Deadline().Equal(end) || !got.Created().Equal(created) {
		a.fail("a renewal where the clock is behind made a session of %v that ends %v, want %v, %v", got.Created(), got.Deadline(), created, end)
	}
	a.purges(node, 0)
	a.clock.Advance(end.Sub(a.clock.Now()))
	a.dead(right, changed.ID(), "after the absolute deadline")
}
