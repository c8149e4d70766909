package simulate

import "context"

// checkView demands that what somebody saw is what was saved last.
func (w *world) checkView(op *operation) {
	l, v := op.line, op.seen
	for attr, value := range v.values {
		if why := l.explains(attr, value, op.start, op.end); why != "" {
			w.fail("client %d, %v: sees %s=%d, %s", op.client.n, op, attributes[attr], value, why)
		}
	}
	if w.clears {
		return
	}
	low, high := int64(0), int64(0)
	for _, c := range l.counts {
		if c.state == saved && c.end < op.start {
			low++
		}
		if c.state != failed && c.start < op.end {
			high++
		}
	}
	if v.count < low || v.count > high {
		w.fail("client %d, %v: sees a count of %d, and it must be from %d to %d", op.client.n, op, v.count, low, high)
	}
}

// explains answers why somebody who looked from one step to another cannot have
// seen a value of an attribute, "" if so. The value must be one that somebody saved,
// or may have saved, and that nobody replaced in between.
func (l *line) explains(attr int, value int64, start, end int) string {
	known := value == 0 && l.seenBy(attr, -1, start)
	why := "which nobody saved"
	if value == 0 {
		why = "although somebody had set it"
	}
	for _, wr := range l.writes[attr] {
		if wr.value != value || wr.state == failed || wr.start >= end {
			continue
		}
		if l.seenBy(attr, wr.end, start) {
			known = true
		} else {
			why = "although somebody else had saved another value since"
		}
	}
	if known {
		return ""
	}
	return why
}

// seenBy reports whether what was written until one step may still be there in
// another: nobody began to write after it, and was told before that it is saved.
func (l *line) seenBy(attr, written, looked int) bool {
	for _, wr := range l.writes[attr] {
		if wr.state == saved && wr.start > written && wr.end < looked {
			return false
		}
	}
	return true
}

// audit looks at everything when all is over, with a clock that is right, and
// through a connection that suffers nothing.
func (w *world) audit() {
	for len(w.late) > 0 {
		w.step++
		if w.rng.IntN(2) == 0 {
			w.arrive(0)
		} else {
			w.late = w.late[1:]
		}
	}
	auditor, err := newServer(w, len(w.servers), 0)
	if err != nil {
		w.fail("auditor: %v", err)
		return
	}
	w.servers = append(w.servers, auditor)
	w.step++
	for _, id := range w.idents {
		c := &client{n: clientCount}
		op := &operation{kind: opOpen, client: c, server: auditor, ident: id, line: id.line, ctx: context.Background(), cancel: func() {}}
		w.begin(op)
		op.run()
		w.step++
		w.judge(op)
		if id.dead > 0 && w.place.records[id.key] != nil {
			w.fail("the record of id %d is there, although somebody was told that it is ended", id.n)
		}
	}
	w.checkStrays()
}

// checkStrays demands that there is no record whose id nobody was told, beyond
// those of requests that came late, and those that the core said it had to leave.
func (w *world) checkStrays() {
	known := make(map[string]bool)
	for _, id := range w.idents {
		known[id.key] = true
	}
	strays := 0
	for _, key := range w.place.order {
		if !known[key] {
			strays++
		}
	}
	if strays > w.strays+w.leftovers {
		w.fail("%d records whose id nobody knows, and reasons for %d", strays, w.strays+w.leftovers)
	}
}
