package tenant

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/clientele-crm/clientele/core/actor"
)

// TeachNotNames adds words to the tenant's list of what is no name (R148), in the
// caller's transaction; extraction reads the list with the next message. What
// people teach while they review is no change of settings, so it needs no admin.
func TeachNotNames(ctx context.Context, tx pgx.Tx, t actor.TenantID, words []string) error {
	_, err := tx.Exec(ctx, `UPDATE tenant SET settings = settings || jsonb_build_object('extraction',
    coalesce(settings->'extraction', '{}') || jsonb_build_object('not_names', (
      SELECT jsonb_agg(DISTINCT word ORDER BY word) FROM (
        SELECT jsonb_array_elements_text(coalesce(settings#>'{extraction,not_names}', '[]')) UNION SELECT unnest($2::text[])) AS known (word))))
 WHERE id = $1`, t, words)
	if err != nil {
		return fmt.Errorf("teach the tenant what is no name: %w", err)
	}
	return nil
}
