package extract

func isSpelled([]token) bool { return false }

func (r *run) spelledNames(found []nameCandidate) []nameCandidate { return found }
