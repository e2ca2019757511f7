package extract

func (r *run) addressBlock(b *block) (foundAddress, bool) { return foundAddress{}, false }

func (r *run) internationalAt(b *block, i int) (foundAddress, bool) { return foundAddress{}, false }
