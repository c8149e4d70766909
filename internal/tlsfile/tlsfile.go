// Package tlsfile makes the TLS configuration of a driver from files that its
// properties name.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// Files say how a server's certificate is verified, and what is shown to it.
type Files struct {
	Verify        bool
	CA, Cert, Key string // paths, "" for none
	Name          string // to verify; "": that of each address
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
