package sdk

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

// fill sets every field below v to something that is not its zero value and
// differs from its neighbours.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	if v.Type() == reflect.TypeFor[Value]() {
		kinds := []Value{Text(fmt.Sprint("v", *n)), Number(float64(*n)), Bool(true), List("a", fmt.Sprint(*n)), Clear()}
		v.Set(reflect.ValueOf(kinds[*n%len(kinds)]))
		return
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		v.SetInt(int64(time.Duration(*n) * time.Millisecond))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("s", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n%250 + 1))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 5 {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, n)
			fill(t, elem, n)
			v.SetMapIndex(key, elem)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	default:
		t.Fatalf("fill: no rule for %s", v.Type())
	}
}

// carried fills a T, sends it through bytes and compares.
func carried[T any, M proto.Message](to func(T) M, from func(M) T) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		var want T
		n := 0
		fill(t, reflect.ValueOf(&want).Elem(), &n)
		sent := to(want)
		data, err := proto.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		received := sent.ProtoReflect().New().Interface().(M)
		if err := proto.Unmarshal(data, received); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, from(received), cmp.AllowUnexported(Value{})); diff != "" {
			t.Errorf("lost on the way (-sent +received):\n%s", diff)
		}
		var zero T
		if diff := cmp.Diff(zero, from(to(zero)), cmp.AllowUnexported(Value{})); diff != "" {
			t.Errorf("the zero value changed (-sent +received):\n%s", diff)
		}
	}
}

func TestEveryFieldIsCarried(t *testing.T) {
	t.Parallel()
	t.Run("Description", carried(toDescription, fromDescription))
	t.Run("Error", carried(toError, fromError))
	t.Run("CheckRequest", carried(toCheckRequest, fromCheckRequest))
	t.Run("CheckReply", carried(toCheckReply, fromCheckReply))
	t.Run("InstallRequest", carried(toInstallRequest, fromInstallRequest))
	t.Run("InstallReply", carried(toInstallReply, fromInstallReply))
	t.Run("DescribeObjectRequest", carried(toDescribeObjectRequest, fromDescribeObjectRequest))
	t.Run("DescribeObjectReply", carried(toDescribeObjectReply, fromDescribeObjectReply))
	t.Run("FindRequest", carried(toFindRequest, fromFindRequest))
	t.Run("FindReply", carried(toFindReply, fromFindReply))
	t.Run("WriteRequest", carried(toWriteRequest, fromWriteRequest))
	t.Run("WriteReply", carried(toWriteReply, fromWriteReply))
	t.Run("LogActivitiesRequest", carried(toLogActivitiesRequest, fromLogActivitiesRequest))
	t.Run("DeleteRequest", carried(toDeleteRequest, fromDeleteRequest))
	t.Run("ChangesRequest", carried(toChangesRequest, fromChangesRequest))
	t.Run("ChangesReply", carried(toChangesReply, fromChangesReply))
	t.Run("PlanReply", carried(toPlanReply, fromPlanReply))
}

func TestTextThatIsNotUTF8StillTravels(t *testing.T) {
	t.Parallel()
	reply := WriteReply{Outcomes: []Outcome{Fail("1", &Error{Class: ClassUnknown, Message: "cut \xc3"})}}
	data, err := proto.Marshal(toWriteReply(reply))
	if err != nil {
		t.Fatalf("a cut-off CRM text made the reply unsendable: %v", err)
	}
	if len(data) == 0 {
		t.Fatal("empty message")
	}
}
