package match

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// Pair is two clients that may be one person.
type Pair struct {
	A, B uuid.UUID
	Bits float64
}

// Cluster is a group of clients of which each may be one person with each other.
type Cluster struct {
	Members []uuid.UUID
	// Links are all pairs of the members, strongest first; the last one is the
	// cluster's weakest link.
	Links []Pair
}

// Clusters groups links, strongest first. Being one person isn't passed on: A with
// B and B with C makes no cluster of three unless A with C is a link too, and the
// link that is left over stands as a pair of its own (research/clients.md §2.2).
// Every link comes out once. The answer doesn't depend on the order of links.
func Clusters(links []Pair) []Cluster {
	links = slices.Clone(links)
	slices.SortFunc(links, comparePairs)
	bits := make(map[[2]uuid.UUID]float64, len(links))
	for _, l := range links {
		bits[pairOf(l.A, l.B)] = l.Bits
	}
	groups := map[uuid.UUID]*group{}
	of := func(id uuid.UUID) *group {
		if groups[id] == nil {
			groups[id] = &group{members: []uuid.UUID{id}}
		}
		return groups[id]
	}
	var clusters []Cluster
	inside := map[*group][]Pair{}
	for _, l := range links {
		a, b := of(l.A), of(l.B)
		if a != b && a.fits(b, bits) {
			a.members = append(a.members, b.members...)
			for _, m := range b.members {
				groups[m] = a
			}
		}
	}
	for _, l := range links {
		if g := groups[l.A]; g == groups[l.B] {
			inside[g] = append(inside[g], l)
		} else {
			clusters = append(clusters, Cluster{Members: []uuid.UUID{l.A, l.B}, Links: []Pair{l}})
		}
	}
	for g, links := range inside {
		clusters = append(clusters, Cluster{Members: g.members, Links: links})
	}
	for _, c := range clusters {
		slices.SortFunc(c.Members, compareIDsOf)
	}
	slices.SortFunc(clusters, func(a, b Cluster) int { return comparePairs(a.Links[0], b.Links[0]) })
	return clusters
}

// Weakest is the link that holds the cluster together least.
func (c Cluster) Weakest() Pair { return c.Links[len(c.Links)-1] }

type group struct{ members []uuid.UUID }

// fits tells whether every member of one group is linked with every one of the
// other.
func (g *group) fits(o *group, bits map[[2]uuid.UUID]float64) bool {
	for _, a := range g.members {
		for _, b := range o.members {
			if _, linked := bits[pairOf(a, b)]; !linked {
				return false
			}
		}
	}
	return true
}

func pairOf(a, b uuid.UUID) [2]uuid.UUID {
	if compareIDsOf(a, b) > 0 {
		a, b = b, a
	}
	return [2]uuid.UUID{a, b}
}

func comparePairs(a, b Pair) int {
	p, q := pairOf(a.A, a.B), pairOf(b.A, b.B)
	return cmp.Or(cmp.Compare(b.Bits, a.Bits), compareIDsOf(p[0], q[0]), compareIDsOf(p[1], q[1]))
}

func compareIDsOf(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }
