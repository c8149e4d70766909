package conformance

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

func modelCases() []testCase {
	return []testCase{
		appCase("Model/RandomRequests",
			"an application that was tested on one store must behave so on every other one",
			randomRequests),
	}
}

// randomRequests makes the same random requests to the driver's Manager and to
// one on session/memory, and compares what each of them observes.
func randomRequests(a *app) {
	store := a.open()
	can := supported{a.has("Purger"), a.has("Search"), a.has("Scanner")}
	for range a.few(a.scale(100, 4), 2) {
		seed := a.rng.Uint64()
		mo := newModel(a, store, can, seed)
		for n := range 200 {
			if !mo.step(n) {
				a.Logf("the requests were, with seed %d of the sequence:\n%s", seed, strings.Join(mo.log, "\n"))
				return
			}
		}
		mo.close()
	}
}

// side is one of the two applications that are compared.
type side struct {
	m    *session.Manager
	ids  []session.ID       // every id there has been, dead ones too
	open []*session.Session // requests that are under way
}

type model struct {
	*app
	rng    *rand.Rand
	sides  [2]*side // the driver's, and that on memory
	close  func()
	log    []string
	number int64 // makes values unique
	can    supported
}

// supported is what the driver's store can do.
type supported struct{ purges, finds, lists bool }

func newModel(a *app, store driver.Store, can supported, seed uint64) *model {
	mo := &model{app: a, rng: rand.New(rand.NewPCG(seed, 4)), can: can}
	reference := a.managerOf(memory.New(), a.opts)
	mo.sides = [2]*side{{m: a.managerOf(store, a.opts)}, {m: reference}}
	mo.close = func() {
		// The next sequence finds an empty place.
		for _, id := range mo.sides[0].ids {
			a.need("Destroy", mo.sides[0].m.Destroy(a.Context(), id))
		}
		a.need("Close", reference.Close())
	}
	return mo
}

// step makes one random request on both sides, and reports whether they agree.
func (mo *model) step(n int) bool {
	name, do := mo.choose()
	var saw [2]string
	for i, s := range mo.sides {
		saw[i] = do(s)
	}
	line := fmt.Sprintf("%3d %s: %s", n, name, saw[0])
	mo.log = append(mo.log, line)
	if saw[0] != saw[1] {
		mo.log[n] += "\n    on memory: " + saw[1]
		mo.fail("request %d, %s: the driver's sessions answer\n  %s\nand those on memory\n  %s", n, name, saw[0], saw[1])
		return false
	}
	return true
}

const modelOpen = 6 // requests that are under way, at most

// choose answers a request: what it does to a side, and what it observes there.
func (mo *model) choose() (string, func(*side) string) {
	r, ctx := mo.rng, mo.Context()
	first := mo.sides[0]
	mo.number++
	number := mo.number
	users := []string{"", "ada", "bob", "eve"}
	user := users[r.IntN(len(users))]
	if len(first.ids) == 0 || r.IntN(8) == 0 {
		return "create for " + user, func(sd *side) string {
			s := sd.m.NewSession()
			err := errors.Join(countKey.Set(s, number), userKey.Set(s, user), s.Save(ctx))
			sd.ids = append(sd.ids, s.ID())
			sd.begin(s, int(number)%modelOpen)
			return outcome(err) + describe(s)
		}
	}
	which := r.IntN(len(first.ids))
	if r.IntN(3) > 0 { // a newer one
		which = max(0, len(first.ids)-1-r.IntN(6))
	}
	slot := r.IntN(modelOpen)
	at := fmt.Sprintf("session %d", which)
	switch r.IntN(17) {
	case 0, 1, 2:
		return "load " + at, func(sd *side) string {
			s, err := sd.m.Load(ctx, sd.ids[which])
			if err != nil {
				return outcome(err)
			}
			sd.begin(s, slot)
			return describe(s)
		}
	case 3:
		return "update " + at, func(sd *side) string {
			seen := ""
			err := sd.m.Update(ctx, sd.ids[which], func(s *session.Session) error {
				seen = describe(s)
				return countKey.Set(s, countKey.GetOr(s, 0)+1)
			})
			return outcome(err) + seen
		}
	case 4:
		return "destroy " + at, func(sd *side) string { return outcome(sd.m.Destroy(ctx, sd.ids[which])) }
	case 5:
		d := time.Duration(r.Int64N(int64(mo.opts.Idle * 3 / 2))).Truncate(time.Millisecond)
		if r.IntN(3) > 0 {
			d /= 10
		}
		mo.clock.Advance(d)
		return "wait " + d.String(), func(*side) string { return "" }
	case 6:
		return "purge", func(sd *side) string {
			n, err := sd.m.Purge(ctx)
			if !mo.can.purges {
				n = 0 // memory purges, this store expires records by itself
			}
			return outcome(err) + fmt.Sprint(n)
		}
	case 7:
		if !mo.can.finds {
			break
		}
		if r.IntN(6) == 0 {
			return "destroy all of " + user, func(sd *side) string {
				n, err := sd.m.DestroyFound(ctx, "user", user, nil)
				return outcome(err) + fmt.Sprint(n)
			}
		}
		return "find " + user, func(sd *side) string {
			var found []string
			for s, err := range sd.m.Find(ctx, "user", user) {
				if err != nil {
					return outcome(err)
				}
				found = append(found, describe(s))
			}
			slices.Sort(found)
			return strings.Join(found, " ")
		}
	case 8:
		if !mo.can.lists {
			break
		}
		return "list", func(sd *side) string {
			found := make(map[session.Handle]string) // one may come twice
			for s, err := range sd.m.All(ctx) {
				if err != nil {
					return outcome(err)
				}
				found[s.Handle()] = describe(s)
			}
			return strings.Join(slices.Sorted(maps.Values(found)), " ")
		}
	}
	return mo.chooseUse(slot, number, user)
}

// chooseUse answers a use of a session that a request under way has loaded.
func (mo *model) chooseUse(slot int, number int64, user string) (string, func(*side) string) {
	r, ctx := mo.rng, mo.Context()
	key := session.NewKey[int64]([]string{"a", "b", "c"}[r.IntN(3)])
	idle := time.Duration(r.IntN(3)) * 20 * time.Minute
	name := [...]string{"set", "set", "set the user", "delete", "clear", "save", "save", "save", "save",
		"renew", "destroy", "reload", "set idle", "set persistent", "set and save", "set and save"}[r.IntN(16)]
	return fmt.Sprintf("request %d: %s", slot, name), func(sd *side) string {
		if slot >= len(sd.open) || sd.open[slot] == nil {
			return "idle"
		}
		s := sd.open[slot]
		was := s.ID()
		var err error
		switch name {
		case "set":
			err = key.Set(s, number)
		case "set the user":
			err = userKey.Set(s, user)
		case "delete":
			err = key.Delete(s)
		case "clear":
			err = s.Clear()
		case "save":
			err = s.Save(ctx)
		case "renew":
			err = s.Renew(ctx)
		case "destroy":
			err = s.Destroy(ctx)
		case "reload":
			err = s.Reload(ctx)
		case "set idle":
			err = s.SetIdle(idle)
		case "set persistent":
			err = s.SetPersistent(number%2 == 0)
		case "set and save":
			err = errors.Join(key.Set(s, number), s.Save(ctx))
		}
		id := "same id "
		if s.ID() != was {
			sd.ids = append(sd.ids, s.ID())
			id = "new id "
		}
		return outcome(err) + id + describe(s)
	}
}

// begin lets a request have a session.
func (sd *side) begin(s *session.Session, slot int) {
	for slot >= len(sd.open) {
		sd.open = append(sd.open, nil)
	}
	sd.open[slot] = s
}

// outcome answers what a caller distinguishes of an error.
func outcome(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, session.ErrNotFound):
		return "not found "
	}
	return "error " + err.Error() + " "
}

// describe answers all that can be observed of a session but its id.
func describe(s *session.Session) string {
	var b strings.Builder
	for _, n := range s.Names() {
		v, err := s.Value(n)
		fmt.Fprintf(&b, "%s=%v%s ", n, v, outcome(err))
	}
	const ms = "2006-01-02T15:04:05.000Z07"
	fmt.Fprintf(&b, "stored %v changed %v persistent %v created %s expires %s ends %s used %s;", s.Stored(), s.Changed(), s.Persistent(),
		s.Created().Format(ms), s.Expires().Format(ms), s.Deadline().Format(ms), s.LastUse().Format(ms))
	return b.String()
}
