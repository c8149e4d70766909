package conformance

import "slices"

// storeCases are the promises of package driver. Those that the framework keeps
// for a store that lacks an interface, by Scan and by Replace, run with hidden
// interfaces, too.
func storeCases() []testCase {
	once := slices.Concat(
		classCases(),
		configureCases(),
		openCases(),
		createCases(),
		keyCases(),
		dataCases(),
		loadCases(),
		replaceCases(),
		versionCases(),
		deleteCases(),
		touchCases(),
		scanCases(),
		purgeCases(),
		limitCases(),
		errorCases(),
		placeCases(),
		contextCases(),
		closeCases(),
		lockCases(),
	)
	for i := range once {
		once[i].once = true
	}
	return append(once, searchCases()...)
}
