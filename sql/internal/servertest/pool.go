package servertest

import (
	"context"
	"database/sql"
	"sync"
	"testing"

	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// Pooled runs the suite on stores in pools of an application, which dsn makes of
// the address of a database: whatever such a pool sets, the dialect must do. All
// cases run in full runs, else those of package driver.
func (c Class) Pooled(t *testing.T, place func(testing.TB) Place, dsn func(string) string) {
	pools := &pools{class: c, dsns: make(map[string]string)}
	own := c
	own.Driver, own.Locking = pools, "" // they have no pool for locks
	own.conformance(t, func(tb testing.TB) Place {
		p := place(tb)
		pools.add(p.Properties["DataSource"].(string), dsn(p.DSN))
		return p
	}, !workload.Full)
}

// pools is the driver of a class whose stores lie in pools of an application.
// Properties are read as by the class itself.
type pools struct {
	class Class
	mu    sync.Mutex
	dsns  map[string]string // by DataSource
}

func (p *pools) add(source, dsn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dsns[source] = dsn
}

func (p *pools) dsn(source string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dsns[source]
}

// Class implements driver.Driver.
func (p *pools) Class() driver.Class { return p.class.Driver.Class() }

// Configure implements driver.Driver.
func (p *pools) Configure(d *driver.Decoder) (driver.Connector, error) {
	c, err := p.class.Driver.Configure(d)
	return poolConnector{c, p, d.String("DataSource", "", "the database")}, err
}

type poolConnector struct {
	driver.Connector // of the class
	pools            *pools
	source           string
}

func (c poolConnector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	db, err := sql.Open(c.pools.class.SQL, c.pools.dsn(c.source))
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(16)
	s, err := websql.Open(ctx, db, c.pools.class.Dialect, &websql.Options{Indexed: o.Indexed, Warn: o.Warn, Close: db.Close})
	if err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}
