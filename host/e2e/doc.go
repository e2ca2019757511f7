// Package e2e tests what crosses parts: the programs as a newcomer runs them, a
// host with real adapter processes against the CRM simulators, faults at the
// seams, and the layout of the whole module. It holds nothing but tests.
package e2e
