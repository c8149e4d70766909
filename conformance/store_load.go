package conformance

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

func loadCases() []testCase {
	return []testCase{{
		name: "Load/AbsentIsNotFound",
		why:  "an id that somebody invented must neither fail the request nor become a session",
		run: func(p *place) {
			hs := p.handles(2)
			for _, key := range p.tokens(5) {
				hs[0].absent(key, "in a place that is empty")
			}
			p.empty("after Loads of absent keys")
			hs[0].create(p.record())
			hs[1].absent(p.token(43), "beside a record of another key")
		},
	}, {
		name: "Load/SeesWhatHadReturned",
		why:  "the next request may reach another server: it must see the login, and the logout",
		run: func(p *place) {
			hs := p.handles(3)
			for i := range p.scale(600, 30) {
				a, b, c := hs[i%3], hs[(i+1)%3], hs[(i+2)%3]
				rec := p.record()
				v := a.create(rec)
				b.holds(rec, v, "through another handle, after Create")
				next := after(rec, p.record())
				v = b.replace(next, v)
				c.holds(next, v, "through another handle, after Replace")
				moved := after(next, next)
				moved.Expires = in(2 * time.Hour)
				v, err := c.touch(p.Context(), moved, v)
				if err != nil {
					p.fatal("a touch in the version that is there answered %v", err)
				}
				a.holds(moved, v, "through another handle, after a touch")
				b.delete(moved, v)
				a.absent(rec.Key, "through another handle, after Delete")
				c.absent(rec.Key, "through another handle, after Delete")
				if p.Failed() {
					return
				}
			}
		},
	}, {
		name: "Load/BelongsToTheCaller",
		why:  "a handler that changes what it loaded would change the sessions of others, without saving",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for range 2 {
				got, _ := hs[0].load(rec.Key)
				spoil(got)
				hs[0].holds(rec, v, "after the caller changed what Load had answered")
				hs[1].holds(rec, v, "after the caller changed what Load had answered")
			}
		},
	}, {
		name: "Load/ChangesNothing",
		why:  "a read that moves deadlines or versions makes sessions immortal, and conflicts with writes",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			before, _ := p.raw()
			for i := range 20 {
				hs[i%2].holds(rec, v, fmt.Sprintf("at Load %d", i+1))
			}
			if now, _ := p.raw(); !maps.EqualFunc(now, before, func(a, b []byte) bool { return string(a) == string(b) }) {
				p.fail("20 Loads changed what lies in the place")
			}
			hs[1].replace(after(rec, p.record()), v)
		},
	}, {
		name: "Load/IsNeverTorn",
		why:  "half of one state and half of another is a session that never was: a user with the rights of before",
		run:  func(p *place) { p.neverTorn(64, p.few(p.scale(2000, 100), 30)) },
	}, {
		name: "Load/IsNeverTornWhenLarge",
		why:  "records that do not fit one page, packet or write are where tearing happens",
		run:  func(p *place) { p.neverTorn(64<<10, p.few(p.scale(600, 30), 10)) },
	}}
}

// torn is the record whose states neverTorn writes: all of it tells seq.
type torn struct {
	key  string
	base time.Time
	size int
}

func (t torn) state(seq uint64) driver.Record {
	return driver.Record{
		Key:     t.key,
		Data:    stamp(seq, t.size),
		Expires: t.base.Add(time.Duration(seq) * time.Millisecond),
		Index:   map[string]string{"user": fmt.Sprint("user-", seq)},
	}
}

// seq answers which state rec is, if it is one.
func (t torn) seq(rec driver.Record) (uint64, error) {
	seq, whole := unstamp(rec.Data)
	if !whole {
		return 0, errors.New("the data is torn")
	}
	want := t.state(seq)
	if diff := differ(rec, want); diff != "" {
		return 0, fmt.Errorf("the parts belong to different states: %s", diff)
	}
	return seq, nil
}

// neverTorn lets two writers replace a record and four readers load it.
func (p *place) neverTorn(size, replaces int) {
	hs := p.handles(4)
	t := torn{key: p.token(43), base: in(time.Hour), size: size}
	hs[0].create(t.state(0))
	r := races{p: p}
	var returned atomic.Uint64 // the newest state whose Replace has returned
	var ended atomic.Bool
	var mu sync.Mutex
	seqOf := make(map[driver.Version]uint64)
	repeats := !p.has("RandomVersions")
	note := func(v driver.Version, seq uint64) {
		mu.Lock()
		defer mu.Unlock()
		if other, known := seqOf[v]; known && other != seq && !repeats {
			p.fail("the version %q was answered for the states %d and %d", v, other, seq)
		}
		seqOf[v] = seq
	}
	write := func(h handle) {
		for range 100 * replaces {
			if returned.Load() >= uint64(replaces) || p.Failed() {
				return
			}
			old, v, err := h.Load(p.Context(), t.key)
			seq, torn := t.seq(old)
			if err != nil || torn != nil {
				p.fail("a writer's Load during Replaces: %v", errors.Join(err, torn))
				return
			}
			w, err := h.Replace(p.Context(), after(old, t.state(seq+1)), v)
			switch isOpen := r.isOpen(err); {
			case err == nil:
				note(w, seq+1)
				for now := returned.Load(); now < seq+1 && !returned.CompareAndSwap(now, seq+1); now = returned.Load() {
				}
			case !isOpen && !errors.Is(err, driver.ErrConflict):
				p.fail("Replace of a record that is there answered %v", err)
				return
			}
		}
		p.fail("%d attempts did not suffice for %d Replaces", 100*replaces, replaces)
	}
	read := func(h handle) {
		for !ended.Load() && !p.Failed() {
			floor := returned.Load()
			rec, v, err := h.Load(p.Context(), t.key)
			seq, torn := t.seq(rec)
			switch {
			case err != nil || torn != nil:
				p.fail("Load during Replaces: %v", errors.Join(err, torn))
			case seq < floor:
				p.fail("Load answered state %d; before it was called, the Replace by state %d had returned", seq, floor)
			}
			note(v, seq)
		}
	}
	var writing atomic.Int32
	writing.Store(2)
	together(6, func(i int) {
		if i >= 2 {
			read(hs[i-2])
			return
		}
		write(hs[i])
		if writing.Add(-1) == 0 {
			ended.Store(true)
		}
	})
	r.end()
}
