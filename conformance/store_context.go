package conformance

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/websession/websession/session/driver"
)

// method is a method of a store that takes a context, and a call that would
// change something, or find it. rec is there in the version v.
type method struct {
	name  string
	needs []string
	call  func(ctx context.Context, h handle, rec driver.Record, v driver.Version) error
}

var methods = []method{
	{"Create", nil, func(ctx context.Context, h handle, rec driver.Record, _ driver.Version) error {
		_, err := h.Create(ctx, driver.Record{Key: "free-" + rec.Key, Index: rec.Index})
		return err
	}},
	{"Load", nil, func(ctx context.Context, h handle, rec driver.Record, _ driver.Version) error {
		_, _, err := h.Load(ctx, rec.Key)
		return err
	}},
	{"Replace", nil, func(ctx context.Context, h handle, rec driver.Record, v driver.Version) error {
		_, err := h.Replace(ctx, after(rec, driver.Record{}), v)
		return err
	}},
	{"Touch", []string{"Toucher"}, func(ctx context.Context, h handle, rec driver.Record, v driver.Version) error {
		_, err := h.Store.(driver.Toucher).Touch(ctx, after(rec, driver.Record{}), v)
		return err
	}},
	{"Delete", nil, func(ctx context.Context, h handle, rec driver.Record, v driver.Version) error {
		return h.Delete(ctx, after(rec, driver.Record{}), v)
	}},
	{"DeleteOfAnyVersion", nil, func(ctx context.Context, h handle, rec driver.Record, _ driver.Version) error {
		return h.Delete(ctx, after(rec, driver.Record{}), "")
	}},
	{"Scan", []string{"Scanner"}, func(ctx context.Context, h handle, _ driver.Record, _ driver.Version) error {
		for _, err := range h.scan(ctx) {
			return err
		}
		return nil
	}},
	{"Search", []string{"Searcher"}, func(ctx context.Context, h handle, rec driver.Record, _ driver.Version) error {
		for _, err := range h.Store.(driver.Searcher).Search(ctx, "user", rec.Index["user"]) {
			return err
		}
		return nil
	}},
	{"Purge", []string{"Purger"}, func(ctx context.Context, h handle, _ driver.Record, _ driver.Version) error {
		_, err := h.Store.(driver.Purger).Purge(ctx, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 100)
		return err
	}},
	{"Ping", []string{"Pinger"}, func(ctx context.Context, h handle, _ driver.Record, _ driver.Version) error {
		_, err := h.Store.(driver.Pinger).Ping(ctx)
		return err
	}},
}

func contextCases() []testCase {
	var cases []testCase
	for _, m := range methods {
		cases = append(cases, testCase{
			name:  "Context/EndedBefore" + m.name,
			why:   "what a request does after it was given up surprises its user, and wastes the store",
			needs: m.needs,
			run:   func(p *place) { p.endedBefore(m) },
		})
	}
	return append(cases, testCase{
		name: "Context/EndsMeanwhile",
		why:  "a time-out leaves one of two states, and never a store whose next answer belongs to the call before",
		run:  func(p *place) { p.endsMeanwhile() },
	}, testCase{
		name:  "Context/EndsDuringScan",
		why:   "a listing that goes on when nobody waits keeps the store busy; one that ends without an error looks complete",
		needs: []string{"Scanner"},
		run: func(p *place) {
			hs := p.handles(2)
			recs := p.many(hs, 300, func(int, *driver.Record) {})
			ctx, cancel := context.WithCancel(p.Context())
			defer cancel()
			found := make(map[string]bool)
			var last error
			if !p.within("Scan whose context has ended", func() {
				for rec, err := range hs[0].scan(ctx) {
					cancel()
					found[rec.Key], last = true, err
				}
			}) {
				return
			}
			switch {
			case last == nil && len(found) < len(recs):
				p.fail("the sequence ended after %d of %d records without an error", len(found), len(recs))
			case last != nil && !errors.Is(last, context.Canceled):
				p.fail("the sequence ended with %v; it should match the context's error", last)
			}
			p.yields(hs[0].scan(p.Context()), recs...)
		},
	}, testCase{
		name:  "Ping/Answers",
		why:   "a check that fails on a store that works takes a server out of service",
		needs: []string{"Pinger"},
		run: func(p *place) {
			for _, h := range p.handles(2) {
				if _, err := h.Store.(driver.Pinger).Ping(p.Context()); err != nil {
					p.fail("Ping of a store that works answered %v", err)
				}
			}
			p.empty("after Ping")
		},
	})
}

// endedBefore calls a method with contexts that have ended.
func (p *place) endedBefore(m method) {
	hs := p.handles(2)
	rec := p.record()
	rec.Expires = in(time.Hour)
	v := hs[0].create(rec)
	cancelled, cancel := context.WithCancel(p.Context())
	cancel()
	late, cancel := context.WithDeadline(p.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, ctx := range []context.Context{cancelled, late} {
		if !p.within(m.name, func() {
			if err := m.call(ctx, hs[1], rec, v); !errors.Is(err, ctx.Err()) {
				p.fail("%s with a context that had ended answered %v; it should match %v", m.name, err, ctx.Err())
			}
		}) {
			return
		}
		hs[0].holds(rec, v, "after "+m.name+" with a context that had ended")
		hs[0].absent("free-"+rec.Key, "after "+m.name+" with a context that had ended")
	}
	p.within(m.name, func() {
		if err := m.call(p.Context(), hs[1], rec, v); err != nil {
			p.fail("%s afterwards, with a context that had not ended, answered %v", m.name, err)
		}
	})
}

// endsMeanwhile cancels calls at random moments. After each of them there is the
// state of before or the one that was written, as the answer says.
func (p *place) endsMeanwhile() {
	hs := p.handles(4)
	const workers = 4
	records := make([][]driver.Record, workers)
	rounds := p.scale(1500, 60)
	for w := range records {
		for range rounds + 1 {
			records[w] = append(records[w], p.record())
		}
	}
	delays := make([]time.Duration, workers*rounds)
	for i := range delays {
		delays[i] = time.Duration(p.rng.IntN(1_000_000) * p.rng.IntN(3))
	}
	together(workers, func(w int) {
		l := life{p: p, h: hs[w], reader: hs[(w+1)%workers], rec: records[w][0]}
		for i := range rounds {
			if !l.step(i, records[w][i+1], delays[w*rounds+i]) {
				return
			}
		}
	})
}

// life is a record of one worker, whose calls are cancelled.
type life struct {
	p         *place
	h, reader handle
	rec       driver.Record
	v         driver.Version // "": absent
}

// step makes the next call, with a context that ends after delay, and reports
// whether the state afterwards is one that the answer allows.
func (l *life) step(i int, next driver.Record, delay time.Duration) bool {
	next = after(l.rec, next)
	ctx, cancel := context.WithCancel(l.p.Context())
	defer time.AfterFunc(delay, cancel).Stop()
	defer cancel()
	begin := time.Now()
	var v driver.Version
	var err error
	what := "Replace"
	switch {
	case l.v == "":
		what, next.Was = "Create", nil
		v, err = l.h.Create(ctx, next)
	case i%4 == 3:
		what = "Delete"
		err = l.h.Delete(ctx, next, l.v)
	default:
		v, err = l.h.Replace(ctx, next, l.v)
	}
	if took := time.Since(begin); took > delay+l.p.patience {
		l.p.fail("%s returned %v after its context had ended", what, took-delay)
	}
	got, gotV, loadErr := l.reader.Load(l.p.Context(), l.rec.Key)
	isOld := errors.Is(loadErr, driver.ErrNotFound) && l.v == "" || loadErr == nil && l.v != "" && gotV == l.v && differ(got, l.rec) == ""
	isNew := errors.Is(loadErr, driver.ErrNotFound) && what == "Delete" || loadErr == nil && what != "Delete" && differ(got, next) == ""
	switch {
	case err == nil && (!isNew || what != "Delete" && gotV != v):
		l.p.fail("%s answered nil, its context ended about then, and it was not applied: Load answered %v %s", what, loadErr, differ(got, next))
	case driver.WasNotApplied(err) && !isOld:
		l.p.fail("%s answered that it was not applied (%v), and the state is another one: %v %s", what, err, loadErr, differ(got, l.rec))
	case !isOld && !isNew:
		l.p.fail("%s answered %v, and the state is neither the old nor the new one: %v", what, err, loadErr)
	}
	switch {
	case err == nil && what == "Delete":
		l.v = ""
	case err == nil:
		l.rec, l.v = next, v
	case driver.WasNotApplied(err):
	default: // it may be applied later
		l.rec, l.v = driver.Record{Key: fmt.Sprintf("%x", sha256.Sum256([]byte(next.Key)))}, ""
	}
	return !l.p.Failed()
}
