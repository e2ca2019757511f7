// Package crmhttp is the HTTP half of an adapter: it sends one request to a CRM
// and says in the contract's words what came of it. It adds the token, bounds
// time and size, follows no redirect, keeps no cookie, retries nothing, counts
// calls by bucket, collects quota facts, and classifies every answer and every
// broken connection into an *sdk.Error.
//
// What differs between CRMs is a [Dialect]: where the error words stand in a
// body, which words mean what, and where the quota headers are. Nothing about a
// particular CRM may be in this package.
package crmhttp
