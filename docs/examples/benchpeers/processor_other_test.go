//go:build !unix

package benchpeers

import "time"

// processorTime is not known here: the metrics of it are 0.
func processorTime() time.Duration { return 0 }
