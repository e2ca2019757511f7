package simulator

import "net/http"

// versions are the generations of the API that the simulator serves.
var versions = [...]string{"v3", "2026-03", "2026-09"}

// routes lays every resource under the paths of all its versions (§0).
func (s *Simulator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, v := range versions {
		objects, associations, single := "/crm/objects/"+v, "/crm/associations/"+v, "/crm/objects/"+v
		properties, owners, imports := "/crm/properties/"+v, "/crm/owners/"+v, "/crm/imports/"+v
		if v == "v3" {
			objects, single, associations = "/crm/v3/objects", "/crm/v4/objects", "/crm/v4/associations"
			properties, owners, imports = "/crm/v3/properties", "/crm/v3/owners", "/crm/v3/imports"
		}
		on := func(pattern string, b bucket, h handler) { mux.HandleFunc(pattern, s.authorised(v, b, h)) }

		on("POST "+objects+"/{type}", burst, s.create)
		on("GET "+objects+"/{type}", burst, s.list)
		on("GET "+objects+"/{type}/{id}", burst, s.read)
		on("PATCH "+objects+"/{type}/{id}", burst, s.update)
		on("DELETE "+objects+"/{type}/{id}", burst, s.archive)
		on("POST "+objects+"/{type}/merge", burst, s.merge)
		on("POST "+objects+"/{type}/gdpr-delete", burst, s.gdprDelete)
		on("POST "+objects+"/{type}/search", search, s.search)
		on("POST "+objects+"/{type}/batch/create", burst, s.batchCreate)
		on("POST "+objects+"/{type}/batch/read", burst, s.batchRead)
		on("POST "+objects+"/{type}/batch/update", burst, s.batchUpdate)
		on("POST "+objects+"/{type}/batch/upsert", burst, s.batchUpsert)
		on("POST "+objects+"/{type}/batch/archive", burst, s.batchArchive)

		on("PUT "+single+"/{type}/{id}/associations/default/{to}/{toId}", association, s.associateDefault)
		on("PUT "+single+"/{type}/{id}/associations/{to}/{toId}", association, s.associate)
		on("GET "+single+"/{type}/{id}/associations/{to}", association, s.associationsOf)
		on("DELETE "+single+"/{type}/{id}/associations/{to}/{toId}", association, s.dissociate)
		on("POST "+associations+"/{type}/{to}/batch/read", association, s.batchAssociations)
		on("POST "+associations+"/{type}/{to}/batch/create", association, s.batchAssociate)
		on("POST "+associations+"/{type}/{to}/batch/associate/default", association, s.batchAssociateDefault)
		on("POST "+associations+"/{type}/{to}/batch/archive", association, s.batchDissociate)
		on("POST "+associations+"/{type}/{to}/batch/labels/archive", association, s.archiveLabels)
		on("GET "+associations+"/{type}/{to}/labels", association, s.labels)

		on("GET "+properties+"/{type}", burst, s.listProperties)
		on("POST "+properties+"/{type}", burst, s.createProperty)
		on("GET "+properties+"/{type}/{name}", burst, s.readProperty)
		on("PATCH "+properties+"/{type}/{name}", burst, s.updateProperty)
		on("DELETE "+properties+"/{type}/{name}", burst, s.archiveProperty)
		on("POST "+properties+"/{type}/batch/create", burst, s.batchCreateProperties)
		on("POST "+properties+"/{type}/batch/read", burst, s.batchReadProperties)
		on("POST "+properties+"/{type}/batch/archive", burst, s.batchArchiveProperties)
		on("GET "+properties+"/{type}/groups", burst, s.listGroups)
		on("POST "+properties+"/{type}/groups", burst, s.createGroup)
		on("GET "+properties+"/{type}/groups/{name}", burst, s.readGroup)
		on("PATCH "+properties+"/{type}/groups/{name}", burst, s.updateGroup)
		on("DELETE "+properties+"/{type}/groups/{name}", burst, s.archiveGroup)

		on("GET "+owners, burst, s.owners)
		on("GET "+owners+"/{id}", burst, s.owner)
		on("POST "+imports, burst, s.startImport)
		on("GET "+imports, burst, s.listImports)
		on("GET "+imports+"/{id}", burst, s.readImport)
		on("GET "+imports+"/{id}/errors", burst, s.importErrors)
		on("POST "+imports+"/{id}/cancel", burst, s.cancelImport)
		on("GET /account-info/"+v+"/details", burst, s.account)
		if v == "v3" {
			on("POST /crm/v3/associations/{type}/{to}/batch/create", association, s.associateNamed)
			on("POST /crm/v3/associations/{type}/{to}/batch/read", association, s.readNamed)
			on("POST /crm/v3/associations/{type}/{to}/batch/archive", association, s.dissociateNamed)
		} else {
			on("GET /crm/property-validations/"+v+"/{type}", burst, s.validationRules)
		}
		mux.HandleFunc("POST /oauth/"+v+"/token", s.tokenEndpoint(v))
		mux.HandleFunc("POST /oauth/"+v+"/token/introspect", s.introspect)
		mux.HandleFunc("POST /oauth/"+v+"/token/revoke", s.revoke)
	}
	s.webhookRoutes(mux)
	mux.HandleFunc("POST /oauth/v1/token", s.tokenEndpoint("v1"))
	mux.HandleFunc("GET /oauth/v1/access-tokens/{token}", s.tokenV1)
	mux.HandleFunc("GET /oauth/v1/refresh-tokens/{token}", s.tokenV1)
	mux.HandleFunc("DELETE /oauth/v1/refresh-tokens/{token}", s.revokeV1)
	mux.HandleFunc("GET /oauth/authorize", s.authorize)
	return mux
}
