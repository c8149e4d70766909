package conformance

func linearCases() []testCase {
	return []testCase{{
		name: "Linearizable/History",
		why:  "every promise about concurrent requests rests on this: each call takes effect at one moment between its beginning and its end",
		run:  linearHistory,
	}}
}

func linearHistory(p *place) {
	l := &linear{keys: p.tokens(4), seed: p.rng.Uint64(), each: p.scale(200, 40)}
	for range 4 {
		l.stores = append(l.stores, p.open())
	}
	l.record(p.Context())
	if problem := l.check(); problem != "" {
		p.fail("%s", problem)
	}
	if all := int64(linearClients * l.each); l.failed.Load()+l.unknown.Load() > all/10 {
		p.fail("%d of %d calls failed, on a store that works", l.failed.Load()+l.unknown.Load(), all)
	}
	p.Logf("%d operations of %d clients on %d keys, %d of unknown outcome", len(l.history), linearClients, len(l.keys), l.unknown.Load())
}
