package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/websession/websession/session"
)

func findingCases() []testCase {
	return []testCase{
		appCase("Finding/AllLiveNoneExpired",
			"who looks at the list of logged-in devices must see all of them, and no dead ones",
			findsAllLive, "Search"),
		appCase("Finding/UnknownIsEmpty",
			"a user without sessions is no error; an attribute that is not indexed is one",
			findsNothing, "Search"),
		appCase("Finding/FollowsTheAttribute",
			"a session that changed hands must be found by its new user only",
			findFollowsAttribute, "Search"),
		appCase("Finding/UnrelatedChangeKeepsTheEntry",
			"a session that was written for another reason must still be found",
			findAfterUnrelatedChange, "Search"),
		appCase("Finding/EndedSessionsLeaveNoEntry",
			"an index that only grows fills the store and tells who was here",
			endedSessionsLeaveNoEntry, "Search"),
		appCase("Finding/EmptyValueIsNoEntry",
			"all visitors who are not logged in under one entry is a list that nobody wants, and a hot spot",
			emptyValueIsNoEntry, "Search"),
		appCase("Finding/TextsAndNumbers",
			"user names are what people have: long, with spaces, separators and signs of all scripts",
			findsTextsAndNumbers, "Search"),
		appCase("Finding/FoundSessionsAreReadOnlyCopies",
			"whoever may see that a session exists must not be able to use it",
			foundAreReadOnly, "Search"),
		appCase("Finding/ChecksWhatTheStoreAnswers",
			"a store may answer too much to a search, and twice; the user must not see sessions of others, nor end them",
			checksWhatTheStoreAnswers, "Scanner"),
		appCase("Finding/DestroyAllOfAUser",
			"after a stolen password every session of the user ends, and nobody else's",
			destroysFound, "Search"),
	}
}

// finds demands the sessions that Find answers.
func (a *app) finds(m *session.Manager, field, value string, want ...*session.Session) {
	a.Helper()
	var got, wanted []string
	for s, err := range m.Find(a.Context(), field, value) {
		if err != nil {
			a.fail("Find: %v", err)
			return
		}
		got = append(got, string(s.Handle()))
	}
	for _, s := range want {
		wanted = append(wanted, string(s.Handle()))
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		a.fail("Find of %s %.40q answers %d sessions, %q, want %d, %q", field, value, len(got), got, len(wanted), wanted)
	}
}

func findsAllLive(a *app) {
	m := a.servers(2)
	old := a.visitOf(m[0], "ada")
	a.clock.Advance(a.opts.Idle / 2)
	live := make([]*session.Session, 20)
	for i := range live {
		live[i] = a.visitOf(m[i%2], "ada")
	}
	bob := a.visitOf(m[0], "bob")
	a.finds(m[0], "user", "ada", append(live, old)...)
	a.clock.Advance(a.opts.Idle/2 - 1)
	a.finds(m[1], "user", "ada", append(live, old)...)
	a.clock.Advance(1)
	a.finds(m[1], "user", "ada", live...)
	a.finds(m[0], "user", "bob", bob)
	for s, err := range m[0].Find(a.Context(), "user", "ada") {
		a.need("Find", err)
		holds(a, s, userKey, "ada")
		holds(a, s, colorKey, "red")
		break // the caller may stop
	}
	a.clock.Advance(a.opts.Idle)
	a.finds(m[0], "user", "ada")
}

func findsNothing(a *app) {
	m := a.server()
	a.visitOf(m, "ada")
	for _, v := range []string{"nobody", "ad", "adaa", "Ada", "ADA", "ada ", " ada", "", "*", "%", "ada\x00", "_da"} {
		a.finds(m, "user", v)
	}
	if n, err := m.DestroyFound(a.Context(), "user", "nobody", nil); n != 0 || err != nil {
		a.fail("DestroyFound of an unknown user: %d, %v", n, err)
	}
	for s, err := range m.Find(a.Context(), "color", "red") {
		if err == nil {
			a.fail("Find by an attribute that is not indexed answers %v", s)
		}
	}
	if _, err := m.DestroyFound(a.Context(), "color", "red", nil); err == nil {
		a.fail("DestroyFound by an attribute that is not indexed answers no error")
	}
}

func findFollowsAttribute(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	things, _ := a.things()
	for i, step := range []struct {
		change func(s *session.Session) error
		user   string
	}{
		{setText("user", "ada"), "ada"},
		{setText("user", "bob"), "bob"},
		{setText("user", "bob"), "bob"},
		{inTurn(removeName("user"), setText("user", "eve")), "eve"},
		{removeName("user"), ""},
		{setText("user", "ada"), "ada"},
		{clearAll, ""},
		{inTurn(clearAll, setText("user", "bob")), "bob"},
		{inTurn(setText("user", "ada"), setText("user", "")), ""},
		{inTurn(setText("user", "ada"), setText("color", "blue")), "ada"},
		{setNil("user"), ""},
	} {
		if i%2 == 0 {
			s = a.load(m[i/2%2], s.ID())
		}
		a.need("change", step.change(s))
		a.save(s)
		for _, user := range []string{"ada", "bob", "eve"} {
			if user == step.user {
				a.finds(m[0], "user", user, s)
			} else {
				a.finds(m[1], "user", user)
			}
		}
	}
	a.sameThings(things, "after the user was removed")
}

func findAfterUnrelatedChange(a *app) {
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	things, _ := a.things()
	for i := range int64(4) {
		got := a.load(m[i%2], s.ID())
		a.need("Set", countKey.Set(got, i))
		a.save(got)
		a.finds(m[1-i%2], "user", "ada", s)
		a.need("Update", m[i%2].Update(a.Context(), s.ID(), increment))
		a.finds(m[1-i%2], "user", "ada", s)
	}
	for found := range m[0].Find(a.Context(), "user", "ada") {
		holds(a, found, countKey, 4)
	}
	a.sameThings(things, "after unrelated changes")
}

func endedSessionsLeaveNoEntry(a *app) {
	m := a.servers(2)
	begin := func() *session.Session {
		s := a.visitOf(m[0], "ada")
		a.need("Save", a.setSave(a.load(m[1], s.ID()), userKey, "bob"))
		return s
	}
	noEntry := func() {
		a.Helper()
		a.finds(m[0], "user", "ada")
		a.finds(m[1], "user", "bob")
	}
	a.need("Destroy", m[1].Destroy(a.Context(), begin().ID()))
	noEntry()
	a.sameThings(0, "after Destroy")
	begin()
	if n, err := m[0].DestroyFound(a.Context(), "user", "bob", nil); n != 1 || err != nil {
		a.fail("DestroyFound: %d, %v; want 1", n, err)
	}
	noEntry()
	a.sameThings(0, "after DestroyFound")

	s := a.visitOf(m[0], "ada")
	a.clock.Advance(a.opts.Idle)
	noEntry()
	a.need("Destroy of an expired session", m[1].Destroy(a.Context(), s.ID()))
	a.sameThings(0, "after Destroy of an expired session")

	// A logout that knows the session as it was ada's.
	a.need("Destroy", begin().Destroy(a.Context()))
	noEntry()
	if !a.separate() {
		a.sameThings(0, "after Destroy of a session that was changed meanwhile")
	}
}

func emptyValueIsNoEntry(a *app) {
	m := a.server()
	anonymous := a.visit(m)
	a.need("Save", a.setSave(anonymous, userKey, ""))
	if rec, _ := a.record(a.open(), keyOf(anonymous)); len(rec.Index) != 0 {
		a.fail("a session without a user has the index %v", rec.Index)
	}
	one, _ := a.things()
	a.finds(m, "user", "")
	if n, err := m.DestroyFound(a.Context(), "user", "", nil); n != 0 || err != nil {
		a.fail("DestroyFound of the empty user: %d, %v", n, err)
	}
	holds(a, a.load(m, anonymous.ID()), userKey, "")
	a.need("Save", a.setSave(anonymous, userKey, "ada"))
	a.finds(m, "user", "ada", anonymous)
	a.need("Save", a.setSave(anonymous, userKey, ""))
	a.finds(m, "user", "ada")
	a.finds(m, "user", "")
	a.sameThings(one, "after the user was set to the empty text")
}

func findsTextsAndNumbers(a *app) {
	account := session.NewKey[int64]("account")
	a.opts.Indexed = []string{"user", "account"}
	m := []*session.Manager{
		a.managerOf(a.openIndexed("user", "account"), a.opts),
		a.managerOf(a.openIndexed("user", "account"), a.opts),
	}
	users := []string{"ada", "Ada", "ada lovelace", "ada:user", "a/b\\c", "user\x00ada", "ada\n", "Ünïcødé", "\u0000", "日本語", "😀", "e\u0301", "\u00e9",
		"*", "%", "'; --", "\xff\xfe", "42", strings.Repeat("long ", 2000)}
	byUser := make(map[string]*session.Session)
	byAccount := make(map[int64]*session.Session)
	for i, u := range users {
		n := []int64{42, -1, 0, 1<<63 - 1, -1 << 63}[i%5] + int64(i/5)
		if byAccount[n] != nil {
			n = int64(1000 + i)
		}
		s := a.visitOf(m[0], u)
		a.need("Set", account.Set(s, n))
		a.save(s)
		byUser[u], byAccount[n] = s, s
	}
	for u, s := range byUser {
		a.finds(m[1], "user", u, s)
	}
	for n, s := range byAccount {
		a.finds(m[1], "account", fmt.Sprint(n), s)
	}
	a.finds(m[1], "account", "ada")
	a.finds(m[1], "account", "042")
	if n, err := m[1].DestroyFound(a.Context(), "account", "42", nil); n != 1 || err != nil {
		a.fail("DestroyFound: %d, %v; want 1", n, err)
	}
	a.finds(m[0], "user", "ada")
	a.finds(m[0], "account", "42")

	s := m[0].NewSession()
	for _, err := range []error{
		session.NewKey[bool]("user").Set(s, true), session.NewKey[float64]("account").Set(s, 1), session.NewKey[[]string]("user").Set(s, nil),
	} {
		if _, ok := err.(*session.TypeError); !ok {
			a.fail("Set of an indexed attribute to what cannot be searched: %v, want a *TypeError", err)
		}
	}
}
