package api

import (
	"context"

	"github.com/google/uuid"

	"github.com/clientele-crm/clientele/core/actor"
	"github.com/clientele-crm/clientele/core/client"
)

type notesOutput struct {
	Body struct {
		Notes []client.Note `json:"notes" doc:"Newest first, at most 1,000"`
	}
}

func (s *server) listNotes(ctx context.Context, a actor.Actor, in *ClientPath) (*notesOutput, error) {
	notes, err := s.Clients.Notes(ctx, a, in.ID)
	if err != nil {
		return nil, err
	}
	out := &notesOutput{}
	out.Body.Notes = list(notes)
	return out, nil
}

// NoteText is the body of a request that writes a note.
type NoteText struct {
	Text string `json:"text" minLength:"1" maxLength:"20000"`
}

type noteOutput struct{ Body *client.Note }

type addNoteInput struct {
	ClientPath
	Body NoteText
}

func (s *server) addNote(ctx context.Context, a actor.Actor, in *addNoteInput) (*noteOutput, error) {
	note, err := s.Clients.AddNote(ctx, a, in.ID, in.Body.Text)
	if err != nil {
		return nil, err
	}
	return &noteOutput{note}, nil
}

// NotePath is the part of an input that names a client's note.
type NotePath struct {
	ClientPath
	Note uuid.UUID `path:"note" format:"uuid"`
}

type editNoteInput struct {
	NotePath
	Body NoteText
}

func (s *server) editNote(ctx context.Context, a actor.Actor, in *editNoteInput) (*noteOutput, error) {
	note, err := s.Clients.EditNote(ctx, a, in.ID, in.Note, in.Body.Text)
	if err != nil {
		return nil, err
	}
	return &noteOutput{note}, nil
}

func (s *server) deleteNote(ctx context.Context, a actor.Actor, in *NotePath) (*struct{}, error) {
	return &struct{}{}, s.Clients.DeleteNote(ctx, a, in.ID, in.Note)
}
