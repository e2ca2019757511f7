// Package migrations holds the database schema: numbered SQL files, forward
// only, never edited once released. Numbers 0001 to 0099 are the product's core,
// 0100 to 0199 the adapter catalog. core/db applies them; nothing else belongs
// here.
package migrations

import "embed"

// FS is every migration of this build.
//
//go:embed *.sql
var FS embed.FS

// Release counts the releases that changed the schema. It is raised by one in
// the release that ships new migrations. A host runs on its own release's schema
// and on the next one (expand before contract, design.md §11); it refuses an
// even newer one.
const Release = 1
