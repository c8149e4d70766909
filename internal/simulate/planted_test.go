package simulate

// planted are faults of the core, each made by replacing a piece of its source
// that occurs once.
var planted = []struct{ name, file, old, new string }{
	{"a merge drops what the other side saved", "replace.go", `
		if base = moved.to; base == nil { // a plain conflict: nobody has loaded yet
			if err := m.pause(ctx, attempt); err != nil {
				return fail(err)
			}
			if base, err = m.load(ctx, key); err != nil {
				return fail(err)
			}
		}
`, `
		mine := *base
		if base = moved.to; base == nil {
			if base, err = m.load(ctx, key); err != nil {
				return fail(err)
			}
		}
		mine.version, mine.expires = base.version, base.expires
		base = &mine
`},
	{"a merge ignores Clear", "envelope.go",
		`if base == nil || c.clear {`, `if base == nil {`},
	{"a session saves again what it had saved", "changeset.go",
		`c.attrs, c.shared = left, false`, `c.shared = true`},

	{"a write leaves no tag", "envelope.go", `
	return append(b, tag[:]...)
`, `
	return b
`},
	{"a write removes the tags of others", "envelope.go", `
	return append(b, tag[:]...)
`, `
	return append(b[:0], tag[:]...)
`},
	{"the newest tag is dropped, and not the oldest", "envelope.go",
		`b = b[:copy(b, b[len(tag):])]`, `b = b[:len(b)-len(tag)]`},
	{"tags that are cut off count as complete", "state.go",
		`return len(tags) < maxTags || `, `return true || `},
	{"writers of one Manager do not take turns", "replace.go",
		`defer func() { m.queue.leave(key, next) }()`, `m.queue.leave(key, nil)`},
	{"a writer takes over the version of the one before, and not what that stored", "replace.go",
		`base = newest`, `mine := *base; mine.version = newest.version; base = &mine`},

	{"an unknown outcome counts as applied", "write.go",
		`		return unresolved`, `		return applied`},
	{"an unknown outcome counts as not applied", "write.go",
		`		return unresolved`, `		return failed`},
	{"a conflict after an unknown outcome is not looked into", "replace.go",
		`case out == conflict && doubt == nil:`, `case out == conflict:`},
	{"an Update that may have been applied is made again", "replace.go",
		`if moved.unknown != nil && !again {`, `if false {`},
	{"a save creates what is not there", "replace.go", `
		case out == notFound:
			return nil, ErrNotFound
`, `
		case out == notFound:
			v, err := m.store.Create(ctx, d.rec)
			d.next.version = v
			return d.next, err
`},
	{"a create of unknown outcome is repeated under the same id", "create.go", `
				m.discard(ctx, key, d.rec.Index)
				id, key = m.newID()`, `
				m.discard(ctx, key, d.rec.Index)`},

	{"a write may bring the deadline nearer", "state.go",
		`if base != nil && !reset && base.expires.After(e) {`, `if false {`},
	{"a touch comes too late", "state.go",
		`e.Sub(st.expires) < every &&`, `e.Sub(st.expires) < 5*every &&`},
	{"a touch writes what was loaded over what is there", "replace.go", `
	case conflict:
		return st, nil
`, `
	case conflict:
		if newest, err := m.inspect(ctx, key); err == nil {
			m.store.Replace(ctx, rec, newest.version)
		}
		return st, nil
`},

	{"a renewal deletes the old record in whatever version", "renew.go",
		`m.store.Delete(ctx, rec, base.version)`, `m.store.Delete(ctx, rec, "")`},
	{"a renewal does not mind that the old record is gone", "renew.go", `
		case out == notFound:
			return ErrNotFound
`, `
		case out == notFound:
			return nil
`},
	{"a renewal takes another's delete for its own", "renew.go", `
		case isNotFound(err):
			return errors.Join(ErrNotFound, m.unknown(ctx, key, doubt))
`, `
		case isNotFound(err):
			return nil
`},
	{"a renewal does not merge what others saved", "renew.go",
		`if next, err = m.overwrite(ctx, id, key, next, base, c); err != nil {`, `if err != nil {`},
	{"a renewal that merges loses its own changes", "renew.go",
		`d, err := m.composeNew(id, key, theirs, c, tag)`, `d, err := m.composeNew(id, key, theirs, &changeSet{}, tag)`},
	{"a renewal that lost leaves its record", "renew.go", `
		m.discard(ctx, key, next.index)
`, `
`},

	{"a logout ends the version that it loaded, if that is there", "destroy.go", `
			return m.store.Delete(ctx, driver.Record{Key: key, Was: was}, "")
		})
`, `
			_, v, err := m.store.Load(ctx, key)
			if err == nil {
				err = m.store.Delete(ctx, driver.Record{Key: key, Was: was}, v)
			}
			return err
		})
		if out == conflict {
			out = applied
		}
`},
	{"a logout that was not answered counts as done", "destroy.go",
		`case out == applied, out == notFound:`, `case out == applied, out == notFound, out == unresolved:`},
}
