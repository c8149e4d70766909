package simulate

import (
	"errors"
	"time"

	"github.com/websession/websession/session/driver"
)

// limit notes the latest deadline that an operation may have given its session.
func (w *world) limit(op *operation) {
	l := op.line
	if e := op.ended.Add(op.server.highest + l.idle); e.After(l.latest) {
		l.latest = e
	}
	if op.kind == opCreate && w.absolute > 0 {
		l.first = op.began.Add(op.server.lowest + w.absolute)
		l.last = op.ended.Add(op.server.highest + w.absolute)
	}
}

// promiseUse notes that a session lives for nine tenths of its idle time from the
// beginning of an operation on, by its server's clock, and answers until when.
func (w *world) promiseUse(id *ident, op *operation) time.Time {
	return w.promise(id, op.began.Add(op.server.lowest))
}

func (w *world) promise(id *ident, used time.Time) time.Time {
	until := used.Add(id.line.idle / 10 * 9)
	if first := id.line.first; !first.IsZero() && until.After(first) {
		until = first
	}
	if until.After(id.promise) {
		id.promise = until
	}
	return until
}

// promiseTouch notes what a save without changes promises. If the store refused
// the touch because somebody else had just written, that counts, by the clock and
// at the time of whoever that was.
func (w *world) promiseTouch(op *operation) {
	c := op.client
	if !op.began.Add(op.server.highest).Before(c.until) {
		return // as it was loaded it may be over; then nothing is touched
	}
	switch {
	case op.mutated && errors.Is(op.touch, driver.ErrConflict) && w.vague:
		// or it was gone
	case op.mutated && errors.Is(op.touch, driver.ErrConflict):
		at, lowest := c.since, time.Duration(0)
		for _, o := range op.line.ops {
			if o != op && (o.end == 0 || o.ended.After(c.since.Add(-maxLate))) && o.began.Before(at) {
				at = o.began
			}
		}
		for _, v := range w.servers {
			lowest = min(lowest, v.lowest)
		}
		w.promise(op.ident, at.Add(lowest))
	case op.touchFailed != nil:
	default:
		w.touched++
		c.until = w.promiseUse(op.ident, op)
	}
}

// checkDead demands a reason for an ErrNotFound.
func (w *world) checkDead(op *operation) {
	id := op.ident
	ending := id.ending
	if op.ends() {
		ending--
	}
	switch {
	case id.dead > 0, id.doubt, ending > 0:
	case !op.ended.Add(op.server.highest).Before(op.promised), w.place.purgedTo.After(op.promised):
		w.expired++
	case op.kind == opRenew && w.place.purgedTo.After(op.began.Add(op.server.lowest+id.line.idle/10*9)):
		// Its new record may have been purged, by a clock that far ahead.
	default:
		w.fail("client %d, %v: the session is not there, although it was used in time, and nobody ended it", op.client.n, op)
	}
}

// checkAlive demands that a session that was found was not over.
func (w *world) checkAlive(op *operation) {
	id, l := op.ident, op.line
	found := op.kind == opOpen || op.kind == opUpdate || op.kind == opRenew || op.kind == opSave && op.writes()
	if found && id.dead > 0 && op.start > id.dead {
		w.fail("client %d, %v: the session had been ended in step %d", op.client.n, op, id.dead)
	}
	if op.kind != opOpen {
		return
	}
	latest := l.latest
	for _, o := range l.ops {
		if o != op && o.end == 0 {
			return // it may have moved the deadline
		}
	}
	if !l.last.IsZero() && l.last.Before(latest) {
		latest = l.last
	}
	if !op.began.Add(op.server.lowest).Before(latest) {
		w.fail("client %d, %v: the session was over, by any clock, at %v", op.client.n, op, latest)
	}
}
