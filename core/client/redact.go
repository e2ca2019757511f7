package client

import "log/slog"

// LogValue is what a log may hold of a client: its id, and of the fields that the
// catalogue doesn't call plain only that they are there.
func (c *Client) LogValue() slog.Value {
	values := []slog.Attr{slog.String("id", c.ID.String()), slog.Int64("revision", c.Revision), slog.Int("identifiers", len(c.Identifiers))}
	for _, f := range Fields() {
		switch {
		case f.Empty(c):
		case f.Class == Plain:
			values = append(values, slog.String(f.Name, f.Get(c)))
		default:
			values = append(values, slog.String(f.Name, "("+string(f.Class)+")"))
		}
	}
	return slog.GroupValue(values...)
}
