package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func classCases() []testCase {
	return []testCase{{
		name: "Class/IsWellFormed",
		why:  "the class name is what administrators write, and the scheme what URLs begin with",
		run: func(p *place) {
			if err := driver.CheckNew(nil, p.driver); err != nil {
				p.fail("the driver cannot be registered: %v", err)
			}
		},
	}, {
		name: "Class/IsConstant",
		why:  "it is asked at every start, and by every goroutine",
		run: func(p *place) {
			want := p.driver.Class()
			together(8, func(int) {
				if c := p.driver.Class(); !reflect.DeepEqual(c, want) {
					p.fail("Class answered %v and then %v", want, c)
				}
			})
		},
	}, {
		name: "Class/RegistersOnce",
		why:  "two drivers of one name: which one keeps the sessions would depend on the order of imports",
		run: func(p *place) {
			if err := driver.CheckNew([]driver.Driver{p.driver}, p.driver); err == nil {
				p.fail("the driver can be registered twice")
			}
		},
	}, {
		name: "Class/OpensByName",
		why:  "one string in the configuration chooses the store",
		run: func(p *place) {
			r := session.NewRegistry(p.driver)
			c := p.driver.Class()
			for _, name := range append([]string{c.Name}, c.Aliases...) {
				m, err := r.Open(p.Context(), name, p.props, &session.Options{PurgeEvery: session.NoLimit})
				if err != nil {
					p.fail("Open by the name %q: %v", name, err)
					continue
				}
				if err := m.Close(); err != nil {
					p.fail("Close: %v", err)
				}
			}
			if err := r.Check(c.Name+"x", p.props); err == nil || !strings.Contains(err.Error(), "known are "+c.Name) {
				p.fail("an unknown class was answered with %v, which does not name the known one", err)
			}
		},
	}}
}

func configureCases() []testCase {
	return []testCase{{
		name: "Configure/NamesTheUnknown",
		why:  "a property that is misspelled and ignored is a setting that people believe in",
		run: func(p *place) {
			asked := p.asked()
			known := func(name string) bool {
				return slices.ContainsFunc(asked, func(a driver.Property) bool { return a.Name == name })
			}
			if err := p.configureWith(map[string]any{"conformance-suite": "1"}); faultOf(err, "conformance-suite") == "" {
				p.fail("Configure with the property \"conformance-suite\" answered %v, which does not name it", err)
			}
			for _, a := range asked {
				name := a.Name + "x"
				if a.Type == "ignored" || known(name) {
					continue
				}
				err := p.configureWith(map[string]any{name: "1"})
				if !strings.Contains(faultOf(err, name), "did you mean") {
					p.fail("Configure with the property %q answered %v, which does not name it and one that is known", name, err)
				}
			}
		},
	}, {
		name: "Configure/NamesWhatHasTheWrongType",
		why:  "who is told which property is wrong need not search",
		run: func(p *place) {
			for _, name := range p.askedNames() {
				if err := p.configureWith(map[string]any{name: wrongType}); faultOf(err, name) == "" {
					p.fail("Configure with a map as property %q answered %v, which does not name it", name, err)
				}
			}
		},
	}, {
		name: "Configure/ReportsAllFaults",
		why:  "who must start once per mistake learns of the last one at midnight",
		run: func(p *place) {
			wrong := map[string]any{"conformance-suite": "1"}
			for _, name := range p.askedNames() {
				wrong[name] = wrongType
			}
			err := p.configureWith(wrong)
			for name := range wrong {
				if faultOf(err, name) == "" {
					p.fail("Configure with %d wrong properties answered %v, which does not name %q", len(wrong), err, name)
				}
			}
		},
	}, {
		name: "Configure/KeepsSecrets",
		why:  "errors are logged, mailed and pasted into issues",
		run: func(p *place) {
			for _, secret := range secrets {
				for _, a := range p.asked() {
					if a.Type == "secret" {
						p.keepsSecret(a.Name, secret)
					}
				}
			}
		},
	}, {
		name: "Configure/URLErrorsKeepSecrets",
		why:  "a URL holds the password, and its error ends up in a log",
		run: func(p *place) {
			r := session.NewRegistry(p.driver)
			const secret = "pA55-w0rd"
			for _, scheme := range p.driver.Class().Schemes {
				for _, rest := range []string{
					"//user:%s@host/a", "//user:%s@host:99999/a", "//user:%s@/", "//:%s@host", "//user:%s@[::1]:x/", "//user:%s@host?x=%%zz",
					"//user:%s@host/%%00#f", "//user:%s@a,b:1,c:2/3?unknown=1", "//user:%s@host/a?password=", "//user:%s@host/a/b/c/d",
				} {
					raw := scheme + ":" + fmt.Sprintf(rest, secret)
					c, err := r.ParseURL(raw)
					if err == nil {
						err = r.Check(c.Class, c.Properties)
					}
					if err != nil && strings.Contains(err.Error(), secret) {
						p.fail("the error of the URL %s quotes its password: %v", raw, err)
					}
				}
			}
		},
	}, {
		name: "Configure/DoesNothingElse",
		why:  "properties are checked before anything is opened, also by tools that must not touch the store",
		run: func(p *place) {
			want := maps.Clone(p.props)
			before := p.goroutines()
			together(20, func(int) {
				dec := driver.NewDecoder(p.driver.Class().Name, p.props)
				c, err := p.driver.Configure(dec)
				if err = errors.Join(err, dec.Err()); err != nil || c == nil {
					p.fail("Configure of properties that are right answered %v, %v", c, err)
				}
			})
			if !reflect.DeepEqual(p.props, want) {
				p.fail("Configure changed the properties")
			}
			p.noGoroutines(before, 20, "calls of Configure")
			p.empty("after Configure without Open")
		},
	}}
}

func openCases() []testCase {
	return []testCase{{
		name: "Open/FailsWhenItsContextHasEnded",
		why:  "a start that was given up must not go on in the background",
		run: func(p *place) {
			ctx, cancel := context.WithCancel(p.Context())
			cancel()
			p.open() // what is made once may stay
			before := p.goroutines()
			for range 10 {
				if !p.within("Open with a context that had ended", func() {
					s, err := p.tryOpen(ctx, p.props, driver.OpenOptions{Indexed: []string{"user"}})
					if err == nil {
						s.Close()
						p.fail("Open with a context that had ended answered nil")
					}
				}) {
					return
				}
			}
			p.noGoroutines(before, 10, "calls of Open that failed")
			p.empty("after Open that failed")
		},
	}, {
		name: "Open/OutlivesItsContext",
		why:  "the context of the start is cancelled when the start is over: the sessions are not",
		run: func(p *place) {
			ctx, cancel := context.WithCancel(p.Context())
			s, err := p.tryOpen(ctx, p.props, driver.OpenOptions{Indexed: []string{"user"}})
			if err != nil {
				p.fatal("Open: %v", err)
			}
			p.closeAtTheEnd(s)
			cancel()
			h := handle{s, p}
			for i := range 5 {
				p.ownLife(h, h, p.token(43), uint64(i))
			}
		},
	}, {
		name: "Open/LeavesThePlaceEmpty",
		why:  "what a driver keeps for itself is no session, and must not be listed",
		run: func(p *place) {
			for _, h := range p.handles(3) {
				h.absent(p.token(43), "after Open")
			}
			p.empty("after Open")
		},
	}, {
		name: "Open/FindsWhatIsThere",
		why:  "a server that starts later must neither hide nor change the sessions of the others",
		run: func(p *place) {
			first := p.handle()
			rec := p.record()
			v := first.create(rec)
			for range 3 {
				h := p.handle()
				h.holds(rec, v, "through a handle that was opened later")
				first.holds(rec, v, "after another handle was opened")
				rec = after(rec, p.record())
				v = h.replace(rec, v)
			}
		},
	}}
}

// wrongType is a value that no property takes.
var wrongType = map[string]any{"a": "map"}

// secrets are such that each can be told from any other text.
var secrets = []string{"s3cr3t-Zk", "s3cr3t with spaces", "s3cr3t:/?#@&=%2f'\"\\", "s3cr3t\nline\x00", strings.Repeat("s3cr3t-", 50)}

// asked answers the properties that the driver asks for.
func (p *place) asked() []driver.Property {
	dec := driver.NewDecoder(p.driver.Class().Name, p.props)
	p.driver.Configure(dec)
	return dec.Asked()
}

// askedNames answers those that have a value.
func (p *place) askedNames() []string {
	var names []string
	for _, a := range p.asked() {
		if a.Type != "ignored" {
			names = append(names, a.Name)
		}
	}
	return names
}

// configureWith answers the error of Configure with the properties of the place
// and these.
func (p *place) configureWith(more map[string]any) error {
	props := make(map[string]any)
	maps.Copy(props, p.props)
	maps.Copy(props, more)
	dec := driver.NewDecoder(p.driver.Class().Name, props)
	_, err := p.driver.Configure(dec)
	return errors.Join(dec.Err(), err)
}

// faultOf answers what is wrong with a property, by err.
func faultOf(err error, name string) string {
	var pe *driver.PropertyError
	if errors.As(err, &pe) {
		for _, f := range pe.Faults {
			if f.Property == name {
				return f.Problem
			}
		}
	}
	return ""
}

// keepsSecret reports errors that tell the value of a property.
func (p *place) keepsSecret(name, secret string) {
	p.Helper()
	check := func(err error) {
		p.Helper()
		if err == nil {
			return
		}
		quoted := fmt.Sprintf("%q", secret)
		for _, form := range []string{secret, quoted[1 : len(quoted)-1], url.QueryEscape(secret), url.PathEscape(secret), secret[:9]} {
			if strings.Contains(err.Error(), form) {
				p.fail("an error tells the property %q: %v", name, err)
				return
			}
		}
	}
	check(p.configureWith(map[string]any{name: secret}))
	check(p.configureWith(map[string]any{name: []string{secret}}))
	check(p.configureWith(map[string]any{name: map[string]any{secret: secret}}))
	for _, other := range p.askedNames() {
		if other != name {
			check(p.configureWith(map[string]any{name: secret, other: wrongType}))
			check(p.configureWith(map[string]any{name: secret, other: "?"}))
		}
	}
	props := maps.Clone(p.props)
	props[name] = secret
	ctx, cancel := context.WithCancel(p.Context())
	cancel()
	for _, ctx := range []context.Context{ctx, p.Context()} {
		p.within("Open with a wrong secret", func() {
			s, err := p.tryOpen(ctx, props, driver.OpenOptions{Indexed: []string{"user"}})
			if check(err); err == nil {
				s.Close()
			}
		})
	}
}
