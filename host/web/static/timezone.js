// Tells the server the visitor's time zone, so that the next page shows local
// times. Until then, and without script, the tenant's zone is shown.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const cookie = "clientele_zone=" + encodeURIComponent(zone);
if (zone && !document.cookie.split("; ").includes(cookie)) {
  document.cookie = cookie + "; path=/; max-age=31536000; samesite=lax";
}
