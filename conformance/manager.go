package conformance

import "slices"

// managerCases are the promises of package session on the store of a driver.
func managerCases() []testCase {
	return slices.Concat(
		identityCases(),
		readingCases(),
		savingCases(),
		deltaCases(),
		destroyingCases(),
		renewingCases(),
		renewalRaceCases(),
		expiringCases(),
		clockCases(),
		touchingCases(),
		concurrencyCases(),
		interleavingCases(),
		findingCases(),
		listingCases(),
		purgingCases(),
		valueCases(),
		damageCases(),
		secretCases(),
		budgetCases(),
		faultCases(),
		linearCases(),
		modelCases(),
	)
}
