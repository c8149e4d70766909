// Package tlsfile has the properties of drivers that name files for TLS.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/websession/websession/session/driver"
)

// Files say how a server's certificate is verified, and what is shown to it.
type Files struct {
	Verify        bool
	CA, Cert, Key string // paths, "" for none
	Name          string // to verify; "": that of each address
}

// Read reads the properties of a driver that connects to peer, and verifies
// certificates of it: "the server", "the server's certificate". They mean nothing
// unless it uses TLS.
func Read(d *driver.Decoder, peer, certificates string, tls bool) Files {
	verify := d.Int("SSL_verify_mode", 1, 0, 7, "whether to verify "+certificates+": 1 yes, 0 no")
	f := Files{
		Verify: verify&1 == 1,
		CA:     d.String("tls_ca", "", "file with the certificates of authorities that are trusted, instead of the system's"),
		Cert:   d.String("tls_cert", "", "file with the certificate that is shown to "+peer),
		Key:    d.String("tls_key", "", "file with the key of tls_cert"),
		Name:   d.String("tls_server_name", "", "the name that "+certificates+" must have, if it is not that of the address"),
	}
	if (f.Cert == "") != (f.Key == "") {
		d.Fail("tls_cert", "and tls_key belong together")
	}
	if tls {
		return f
	}
	for _, name := range []string{"tls_ca", "tls_cert", "tls_key", "tls_server_name"} {
		if d.Has(name) {
			d.Fail(name, "means nothing without ssl")
		}
	}
	return f
}

// Config reads the files. Its errors name the properties tls_ca, tls_cert and
// tls_key.
func (f Files) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.Name, InsecureSkipVerify: !f.Verify}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("property tls_ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("property tls_ca: the file has no certificate in PEM format")
		}
	}
	if f.Cert != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("properties tls_cert and tls_key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
