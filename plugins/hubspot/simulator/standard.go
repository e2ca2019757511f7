package simulator

import "strings"

// The properties that HubSpot defines, those that a mapping meets (§3.1, §4).
// One line is: name, type/fieldType, flags (r read-only, u unique, x options
// from elsewhere), label, and the options of an enumeration.

const contactProperties = `
email|string/text||Email
hs_additional_emails|enumeration/select|rx|Additional email addresses
firstname|string/text||First Name
lastname|string/text||Last Name
salutation|string/text||Salutation
jobtitle|string/text||Job Title
phone|string/phonenumber||Phone Number
mobilephone|string/phonenumber||Mobile Phone Number
fax|string/phonenumber||Fax Number
company|string/text||Company Name
associatedcompanyid|number/number||Primary Associated Company ID
address|string/text||Street Address
city|string/text||City
state|string/text||State/Region
zip|string/text||Postal Code
country|string/text||Country/Region
website|string/text||Website URL
message|string/textarea||Message
date_of_birth|string/text||Date of birth
gender|string/text||Gender
marital_status|string/text||Marital Status
degree|string/text||Degree
school|string/text||School
hs_language|enumeration/select||Preferred language|en,en-gb,en-us,de,de-at,de-ch,es,es-mx,fr,fr-ca,it,nl,nl-be,pl,pt,pt-br,sv,da,nb,fi,ja,ko,zh
hs_timezone|enumeration/select||Time Zone|america_slash_new_york,america_slash_chicago,america_slash_denver,america_slash_los_angeles,europe_slash_amsterdam,europe_slash_berlin,europe_slash_london,europe_slash_paris,asia_slash_tokyo,utc
lifecyclestage|enumeration/radio||Lifecycle Stage|subscriber,lead,marketingqualifiedlead,salesqualifiedlead,opportunity,customer,evangelist,other
hs_lead_status|enumeration/radio||Lead Status|NEW,OPEN,IN_PROGRESS,OPEN_DEAL,UNQUALIFIED,ATTEMPTED_TO_CONTACT,CONNECTED,BAD_TIMING
hs_legal_basis|enumeration/checkbox||Legal basis for processing contact's data|Legitimate interest – prospect/lead,Legitimate interest – existing customer,Performance of a contract,Freely given consent from contact,Not applicable
hubspot_owner_id|enumeration/select|x|Contact owner
hs_email_optout|bool/booleancheckbox|r|Unsubscribed from all email
hs_email_domain|string/text|r|Email Domain
hs_full_name_or_email|string/text|r|Full name or email
hs_searchable_calculated_phone_number|string/text|r|Calculated Phone Number without country code
hs_searchable_calculated_mobile_number|string/text|r|Calculated Mobile Number without country code
hs_merged_object_ids|enumeration/checkbox|rx|Merged record IDs
hs_calculated_merged_vids|enumeration/select|rx|Merged vids with timestamps of a contact
hs_all_contact_vids|enumeration/select|rx|All vids for a contact
hs_object_id|number/number|r|Record ID
hs_object_source|enumeration/select|rx|Record source
hs_object_source_id|string/text|r|Record source ID
createdate|datetime/date|r|Create Date
lastmodifieddate|datetime/date|r|Last Modified Date
num_notes|number/number|r|Number of Sales Activities`

const companyProperties = `
name|string/text||Company name
domain|string/text||Company Domain Name
phone|string/phonenumber||Phone Number
address|string/text||Street Address
city|string/text||City
state|string/text||State/Region
zip|string/text||Postal Code
country|string/text||Country/Region
website|string/text||Website URL
description|string/textarea||Description
hubspot_owner_id|enumeration/select|x|Company owner
createdate|datetime/date|r|Create Date`

const noteProperties = `
hs_note_body|string/html||Note body`

const communicationProperties = `
hs_communication_channel_type|enumeration/select||Channel Type|WHATS_APP,LINKEDIN_MESSAGE,SMS
hs_communication_logged_from|enumeration/select||Logged from|CRM
hs_communication_body|string/html||Communication body`

const callProperties = `
hs_call_title|string/text||Call Title
hs_call_body|string/html||Call notes
hs_call_duration|number/number||Call duration
hs_call_direction|enumeration/select||Call direction|INBOUND,OUTBOUND
hs_call_status|enumeration/select||Call status|BUSY,CALLING_CRM_USER,CANCELED,COMPLETED,CONNECTING,FAILED,IN_PROGRESS,NO_ANSWER,QUEUED,RINGING
hs_call_disposition|enumeration/select||Call outcome|f240bbac-87c9-4f6e-bf70-924b57d47db7,73a0d17f-1163-4015-bdd5-ec830791da20,9d9162e7-6cf3-4944-bf63-4dff82258764,b2cf5968-551e-4856-9783-52b3da59a7d0,a4c4c377-d246-4b32-a13b-75a56a4cd0ff,17b47fee-58de-441e-a44c-c6300d46f273
hs_call_from_number|string/text||From number
hs_call_to_number|string/text||To number
hs_call_recording_url|string/text||Recording URL
hs_call_source|enumeration/select||Call source|INTEGRATIONS_PLATFORM`

const emailProperties = `
hs_email_direction|enumeration/select||Email direction|EMAIL,INCOMING_EMAIL,FORWARDED_EMAIL
hs_email_status|enumeration/select||Email send status|BOUNCED,FAILED,SCHEDULED,SENDING,SENT
hs_email_subject|string/text||Email subject
hs_email_text|string/textarea||Email body
hs_email_html|string/html||Email HTML
hs_email_headers|string/textarea||Email headers
hs_email_from_email|string/text|r|Email from
hs_email_to_email|string/text|r|Email to`

const meetingProperties = `
hs_meeting_title|string/text||Meeting name
hs_meeting_body|string/html||Meeting description
hs_internal_meeting_notes|string/html||Internal meeting notes
hs_meeting_start_time|datetime/date||Meeting start time
hs_meeting_end_time|datetime/date||Meeting end time
hs_meeting_outcome|enumeration/select||Meeting outcome|SCHEDULED,COMPLETED,RESCHEDULED,NO_SHOW,CANCELED`

const taskProperties = `
hs_task_subject|string/text||Task Title
hs_task_body|string/html||Notes
hs_task_status|enumeration/select||Task status|NOT_STARTED,IN_PROGRESS,WAITING,DEFERRED,COMPLETED
hs_task_priority|enumeration/select||Priority|LOW,MEDIUM,HIGH,NONE
hs_task_type|enumeration/select||Task Type|TODO,CALL,EMAIL`

const activityProperties = `
hs_timestamp|datetime/date||Activity date
hubspot_owner_id|enumeration/select|x|Activity assigned to
hs_createdate|datetime/date|r|Create date`

const everyProperties = `
hs_object_id|number/number|r|Record ID
hs_lastmodifieddate|datetime/date|r|Last Modified Date
hs_object_source|enumeration/select|rx|Record source
hs_object_source_id|string/text|r|Record source ID`

// catalogue is HubSpot's own properties by kind.
type catalogue map[string][]property

func newCatalogue() catalogue {
	out := catalogue{
		"contacts":  parseProperties(contactProperties, "contactinformation"),
		"companies": parseProperties(companyProperties+everyProperties, "companyinformation"),
	}
	for kind, text := range map[string]string{
		"notes": noteProperties, "communications": communicationProperties, "calls": callProperties,
		"emails": emailProperties, "meetings": meetingProperties, "tasks": taskProperties,
	} {
		out[kind] = parseProperties(text+activityProperties+everyProperties, kind)
	}
	return out
}

func (x catalogue) find(o object, name string) (property, bool) {
	for _, p := range x[o.plural] {
		if p.Name == name {
			return p, true
		}
	}
	return property{}, false
}

func parseProperties(text, group string) []property {
	var out []property
	for line := range strings.Lines(strings.TrimPrefix(text, "\n")) {
		part := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		kind, field, _ := strings.Cut(part[1], "/")
		p := property{
			Name: part[0], Type: kind, FieldType: field, Label: part[3], GroupName: group, Options: []option{},
			HubSpotDefined: true, DisplayOrder: -1, ExternalOptions: strings.Contains(part[2], "x"),
			Modification: modification{
				ReadOnlyDefinition: true, ReadOnlyValue: strings.Contains(part[2], "r"), ReadOnlyOptions: true,
			},
		}
		if len(part) > 4 {
			for i, v := range strings.Split(part[4], ",") {
				p.Options = append(p.Options, option{Label: v, Value: v, DisplayOrder: i})
			}
		}
		out = append(out, p)
	}
	return out
}
