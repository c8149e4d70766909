package sql

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

// hold makes the writer begin a transaction for "held" and stay in its statement
// until release is called. Then what the test has queued shares the next one.
func hold(t *testing.T, w *writer, f *fake) (release func()) {
	t.Helper()
	entered, leave := make(chan struct{}), make(chan struct{})
	f.answer(func(word string) (int64, error) {
		if word == "held" {
			close(entered)
			<-leave
		}
		return 1, nil
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _, err := w.apply(context.Background(), 0, []any{"held"})
		require.NoError(t, err)
	})
	<-entered
	return func() {
		close(leave)
		wg.Wait()
	}
}

type answer struct {
	outcome Outcome
	err     error
}

// queue applies the words at once and answers a function that waits for what
// becomes of each. It returns when all of them are in the queue.
func queue(t *testing.T, w *writer, ctx context.Context, words ...string) func() map[string]answer {
	t.Helper()
	answers := make(map[string]answer)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, word := range words {
		before := len(w.queue)
		wg.Go(func() {
			_, outcome, err := w.apply(ctx, 0, []any{word})
			mu.Lock()
			defer mu.Unlock()
			answers[word] = answer{outcome, err}
		})
		until(t, func() bool { return len(w.queue) > before })
	}
	return func() map[string]answer {
		wg.Wait()
		return answers
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 10*time.Second, 100*time.Microsecond)
}

func TestWriterSharesTransactions(t *testing.T) {
	w, f := newFake(t, time.Minute)
	release := hold(t, w, f)
	wait := queue(t, w, t.Context(), "1", "2", "3", "4", "5", "6")
	release()
	for word, a := range wait() {
		require.NoError(t, a.err, word)
	}
	require.Equal(t, "begin exec commit begin exec exec exec exec commit begin exec exec commit", f.words(), "at most 4 in a batch")
}

func TestWriterDoesNotWaitForOthers(t *testing.T) {
	w, f := newFake(t, time.Minute)
	for range 3 {
		_, _, err := w.apply(t.Context(), 0, []any{"x"})
		require.NoError(t, err)
	}
	require.Equal(t, "begin exec commit begin exec commit begin exec commit", f.words())
}

// A statement that fails has no effect, and the others of its batch do not feel
// it.
func TestWriterAnswersOneFailureAlone(t *testing.T) {
	for _, failure := range []error{errRefused, errFull, errDisk, errBusy} {
		w, f := newFake(t, time.Minute)
		release := hold(t, w, f)
		wait := queue(t, w, t.Context(), "1", "bad", "3")
		f.answer(func(word string) (int64, error) {
			if word == "bad" {
				return 0, failure
			}
			return 1, nil
		})
		release()
		answers := wait()
		require.NoError(t, answers["1"].err)
		require.NoError(t, answers["3"].err)
		require.ErrorIs(t, answers["bad"].err, failure)
		require.NotEqual(t, Unknown, answers["bad"].outcome, "there was no COMMIT")
		require.Equal(t, "begin exec commit begin exec exec rollback begin exec commit begin exec rollback begin exec commit", f.words())
	}
}

// A constraint that is checked by COMMIT is one of a statement, too.
func TestWriterAnswersOneRefusalAtCommitAlone(t *testing.T) {
	w, f := newFake(t, time.Minute)
	release := hold(t, w, f)
	wait := queue(t, w, t.Context(), "1", "bad", "3")
	bad := false // only the goroutine of the writer uses it
	f.answer(func(word string) (int64, error) {
		switch word {
		case "BEGIN":
			bad = false
		case "bad":
			bad = true
		case "COMMIT":
			if bad {
				return 0, errRefused
			}
		}
		return 1, nil
	})
	release()
	answers := wait()
	require.NoError(t, answers["1"].err)
	require.NoError(t, answers["3"].err)
	require.Equal(t, answer{Refused, errRefused}, answers["bad"])
}

func TestWriterWhenCommitFails(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Outcome
	}{{errDisk, Unknown}, {errFull, NotApplied}, {errors.New("what nobody knows"), Unknown}} {
		w, f := newFake(t, time.Minute)
		release := hold(t, w, f)
		wait := queue(t, w, t.Context(), "1", "2")
		f.answer(func(word string) (int64, error) {
			if word == "COMMIT" && len(w.queue) == 0 {
				return 0, c.err
			}
			return 1, nil
		})
		// The transaction that is held ends before the next begins, so its COMMIT
		// finds them in the queue.
		release()
		for word, a := range wait() {
			require.Equal(t, answer{c.want, c.err}, a, word)
		}
		require.Equal(t, "begin exec commit begin exec exec commit rollback", f.words(), "nothing is repeated")
	}
}

// A connection whose transaction cannot be ended is closed, and another one is
// taken.
func TestWriterDropsConnection(t *testing.T) {
	w, f := newFake(t, time.Minute)
	f.answer(func(word string) (int64, error) {
		if word != "BEGIN" {
			return 0, errDisk
		}
		return 0, nil
	})
	_, outcome, err := w.apply(t.Context(), 0, []any{"x"})
	require.Equal(t, answer{NotApplied, errDisk}, answer{outcome, err})
	require.Equal(t, "begin exec rollback close", f.words())

	tries := 0
	f.answer(func(word string) (int64, error) {
		if tries++; tries == 1 {
			return 0, errors.New("the connection is lost")
		}
		return 1, nil
	})
	_, _, err = w.apply(t.Context(), 0, []any{"x"})
	require.NoError(t, err)
	require.Equal(t, "connect begin close connect begin exec commit", f.words())
}

func TestWriterWaitsForLocks(t *testing.T) {
	w, f := newFake(t, 10*time.Second)
	tries := 0
	f.answer(func(word string) (int64, error) {
		if tries++; tries < 20 {
			return 0, errBusy
		}
		return 1, nil
	})
	_, _, err := w.apply(t.Context(), 0, []any{"x"})
	require.NoError(t, err)

	w, f = newFake(t, 50*time.Millisecond)
	f.answer(func(word string) (int64, error) { return 0, errBusy })
	begin := time.Now()
	_, outcome, err := w.apply(t.Context(), 0, []any{"x"})
	require.Equal(t, answer{NotApplied, errBusy}, answer{outcome, err})
	require.Less(t, time.Since(begin), 50*time.Millisecond+margin)
	require.NotContains(t, f.words(), "close", "the connection is all right")
}

// While the lock is waited for, nothing has begun.
func TestWriterLetsGoWhileItWaitsForLocks(t *testing.T) {
	w, f := newFake(t, time.Hour)
	f.answer(func(word string) (int64, error) { return 0, errBusy })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan answer)
	go func() {
		_, outcome, err := w.apply(ctx, 0, []any{"x"})
		done <- answer{outcome, err}
	}()
	until(t, func() bool { return f.words() != "" })
	cancel()
	require.Equal(t, answer{NotApplied, context.Canceled}, <-done)
	begin := time.Now()
	w.stop()
	require.NoError(t, w.close())
	require.Less(t, time.Since(begin), time.Second, "stop ends the wait for the lock")
}

func TestWriterWhenContextEnds(t *testing.T) {
	w, f := newFake(t, time.Minute)
	release := hold(t, w, f)
	ctx, cancel := context.WithCancel(t.Context())
	wait := queue(t, w, ctx, "1", "2")
	stays := queue(t, w, context.Background(), "stays")
	cancel()
	for word, a := range wait() {
		require.Equal(t, answer{NotApplied, context.Canceled}, a, word)
	}
	release()
	require.NoError(t, stays()["stays"].err)
	require.Equal(t, "begin exec commit begin exec commit", f.words(), "what was withdrawn is not applied")
}

// Once the transaction has begun its end is waited for, even if the context
// ends, but not for ever.
func TestWriterWhenContextEndsInTransaction(t *testing.T) {
	w, f := newFake(t, time.Minute)
	entered, leave := make(chan struct{}), make(chan struct{})
	f.answer(func(word string) (int64, error) {
		if word == "COMMIT" {
			close(entered)
			<-leave
		}
		return 1, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan answer)
	go func() {
		_, outcome, err := w.apply(ctx, 0, []any{"x"})
		done <- answer{outcome, err}
	}()
	<-entered
	cancel()
	select {
	case a := <-done:
		t.Fatal("it did not wait:", a)
	case <-time.After(20 * time.Millisecond):
	}
	close(leave)
	require.NoError(t, (<-done).err)
}

func TestWriterWhenDiskHangs(t *testing.T) {
	w, f := newFake(t, 100*time.Millisecond)
	entered, leave := make(chan struct{}), make(chan struct{})
	f.answer(func(word string) (int64, error) {
		if word == "COMMIT" {
			close(entered)
			<-leave
		}
		return 1, nil
	})
	defer close(leave)
	begin := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan answer, 2)
	go func() {
		_, outcome, err := w.apply(ctx, 0, []any{"x"})
		done <- answer{outcome, err}
	}()
	<-entered
	cancel()
	_, outcome, err := w.apply(t.Context(), 0, []any{"behind it"})
	require.Equal(t, NotApplied, outcome)
	require.ErrorContains(t, err, "did not end within 1.1s")
	a := <-done
	require.Equal(t, Unknown, a.outcome)
	require.ErrorIs(t, a.err, context.Canceled)
	require.Less(t, time.Since(begin), 2*w.patience())
}

func TestWriterWhenItIsClosed(t *testing.T) {
	w, f := newFake(t, time.Minute)
	release := hold(t, w, f)
	wait := queue(t, w, t.Context(), "1", "2")
	w.stop()
	for word, a := range wait() {
		require.Equal(t, answer{NotApplied, driver.ErrClosed}, a, word)
	}
	release()
	require.NoError(t, w.close())
	_, outcome, err := w.apply(t.Context(), 0, []any{"x"})
	require.Equal(t, answer{NotApplied, driver.ErrClosed}, answer{outcome, err})
	require.Equal(t, "begin exec commit close", f.words(), "the connection does not go back to the pool")
}

// A database that must not be used any more is not written to.
func TestWriterChecksDatabase(t *testing.T) {
	w, f := newFake(t, time.Minute)
	gone := errors.New("it was deleted")
	w.database.(*fakeDatabase).err = gone
	_, outcome, err := w.apply(t.Context(), 0, []any{"x"})
	require.Equal(t, answer{NotApplied, gone}, answer{outcome, err})
	require.Empty(t, f.words())
}
