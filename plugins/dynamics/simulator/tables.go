package simulator

// The tables of §3.1 and §5.2 with the columns that integrations use. Lengths,
// levels and choices are the out-of-the-box ones; an environment's own columns
// and keys come on top (customize.go).

// person is what contact and account have in common.
const person = `
EMailAddress1 String 100
EMailAddress2 String 100
EMailAddress3 String 100
Telephone1 String 50
Telephone2 String 50
Telephone3 String 50
Fax String 50
WebSiteUrl String 200
Description Memo 2000
Address1_AddressTypeCode Picklist 1=Bill_To,2=Ship_To,3=Primary,4=Other
Address1_Name String 200
Address1_Line1 String 250
Address1_Line2 String 250
Address1_Line3 String 250
Address1_City String 80
Address1_StateOrProvince String 50
Address1_PostalCode String 20
Address1_Country String 80
Address1_County String 50
Address1_PostOfficeBox String 20
Address1_Latitude Double
Address1_Longitude Double
Address1_Telephone1 String 50
Address1_Composite Memo 1000 r
Address2_Line1 String 250
Address2_City String 80
Address2_StateOrProvince String 50
Address2_PostalCode String 20
Address2_Country String 80
Address2_Composite Memo 1000 r
CreditLimit Money
CustomerSizeCode Picklist 1=Default_Value
DoNotBulkEMail Boolean 0=Allow,1=Do_Not_Allow
DoNotBulkPostalMail Boolean 0=No,1=Yes
DoNotEMail Boolean 0=Allow,1=Do_Not_Allow
DoNotFax Boolean 0=Allow,1=Do_Not_Allow
DoNotPhone Boolean 0=Allow,1=Do_Not_Allow
DoNotPostalMail Boolean 0=Allow,1=Do_Not_Allow
DoNotSendMM Boolean 0=Send,1=Do_Not_Send
PreferredContactMethodCode Picklist 1=Any,2=Email,3=Phone,4=Fax,5=Mail
PreferredAppointmentDayCode Picklist 0=Sunday,1=Monday,2=Tuesday,3=Wednesday,4=Thursday,5=Friday,6=Saturday
PreferredAppointmentTimeCode Picklist 1=Morning,2=Afternoon,3=Evening
Merged Boolean r 0=No,1=Yes
ImportSequenceNumber Integer c
OverriddenCreatedOn DateTime c d
CreatedOn DateTime r
ModifiedOn DateTime r
VersionNumber BigInt r
StateCode State u S 0=Active,1=Inactive
StatusCode Status 1=Active/0,2=Inactive/1
lookup ownerid ownerid=systemuser
lookup transactioncurrencyid transactioncurrencyid=transactioncurrency
readonly createdby createdby=systemuser
readonly modifiedby modifiedby=systemuser
`

const contactTable = `
table contact contacts contactid fullname 2
ContactId Uniqueidentifier c S
FirstName String 50 R
LastName String 50 A
MiddleName String 50
NickName String 100
Salutation String 100
Suffix String 10
FullName String 160 r
YomiFirstName String 150
YomiLastName String 150
YomiFullName String 450 r
MobilePhone String 50
Pager String 50
Home2 String 50
Business2 String 50
Callback String 50
Company String 50
AssistantName String 100
AssistantPhone String 50
ManagerName String 100
ManagerPhone String 50
JobTitle String 100
Department String 100
GovernmentId String 50
EmployeeId String 50
ExternalUserIdentifier String 50
SpousesName String 100
ChildrensNames String 255
NumberOfChildren Integer
BirthDate DateTime d
Anniversary DateTime d
GenderCode Picklist 1=Male,2=Female
FamilyStatusCode Picklist 1=Single,2=Married,3=Divorced,4=Widowed
EducationCode Picklist 1=Default_Value
HasChildrenCode Picklist 1=Default_Value
LeadSourceCode Picklist 1=Default_Value
AccountRoleCode Picklist 1=Decision_Maker,2=Employee,3=Influencer
CustomerTypeCode Picklist 1=Default_Value
AnnualIncome Money
CreditOnHold Boolean 0=No,1=Yes
MarketingOnly Boolean 0=No,1=Yes
lookup parentcustomerid parentcustomerid_account=account parentcustomerid_contact=contact
readonly accountid accountid=account
readonly parentcontactid parentcontactid=contact
readonly masterid masterid=contact
lookup preferredsystemuserid preferredsystemuserid=systemuser
child Contact_Annotation annotation objectid
child Contact_Phonecalls phonecall regardingobjectid
child Contact_Emails email regardingobjectid
child Contact_Tasks task regardingobjectid
child Contact_Appointments appointment regardingobjectid
child Contact_ActivityPointers activitypointer regardingobjectid
child contact_activity_parties activityparty partyid
child contact_customer_contacts contact parentcustomerid
child contact_master_contact contact masterid
` + person

const accountTable = `
table account accounts accountid name 1
AccountId Uniqueidentifier c S
Name String 160 A
AccountNumber String 20
SIC String 20
TickerSymbol String 10
StockExchange String 20
NumberOfEmployees Integer
Revenue Money
AccountCategoryCode Picklist 1=Preferred_Customer,2=Standard
IndustryCode Picklist 1=Accounting,6=Business_Services,7=Consulting
OwnershipCode Picklist 1=Public,2=Private,3=Subsidiary,4=Other
CustomerTypeCode Picklist 1=Competitor,2=Consultant,3=Customer,12=Other
lookup primarycontactid primarycontactid=contact
lookup parentaccountid parentaccountid=account
readonly masterid masterid=account
child contact_customer_accounts contact parentcustomerid
child Account_Annotation annotation objectid
child Account_Tasks task regardingobjectid
child Account_Phonecalls phonecall regardingobjectid
child Account_Emails email regardingobjectid
child Account_ActivityPointers activitypointer regardingobjectid
` + person

const annotationTable = `
table annotation annotations annotationid subject 5
AnnotationId Uniqueidentifier c S
Subject String 500
NoteText Memo 100000
IsDocument Boolean S 0=No,1=Yes
FileName String 255
MimeType String 256
DocumentBody Memo 7000000
ImportSequenceNumber Integer c
OverriddenCreatedOn DateTime c d
CreatedOn DateTime r
ModifiedOn DateTime r
VersionNumber BigInt r
lookup objectid objectid_contact=contact objectid_account=account objectid_phonecall=phonecall objectid_task=task objectid_email=email objectid_appointment=appointment
lookup ownerid ownerid=systemuser
`

// activity is what the activity tables have in common.
const activity = `
ActivityId Uniqueidentifier c S
ActivityTypeCode EntityName r S
Subject String 200 A
ActualStart DateTime
ActualEnd DateTime
ActualDurationMinutes Integer
ScheduledStart DateTime
ScheduledEnd DateTime
ScheduledDurationMinutes Integer
PriorityCode Picklist 0=Low,1=Normal,2=High
IsBilled Boolean 0=No,1=Yes
IsWorkflowCreated Boolean 0=No,1=Yes
IsRegularActivity Boolean r S 0=No,1=Yes
ImportSequenceNumber Integer c
OverriddenCreatedOn DateTime c d
SortDate DateTime r
CreatedOn DateTime r
ModifiedOn DateTime r
VersionNumber BigInt r
lookup ownerid ownerid=systemuser
readonly createdby createdby=systemuser
readonly modifiedby modifiedby=systemuser
`

const phonecallTable = `
table phonecall phonecalls activityid subject 4210 activity
Description Memo 2000
PhoneNumber String 200
DirectionCode Boolean 0=Incoming,1=Outgoing
LeftVoiceMail Boolean 0=No,1=Yes
Category String 250
StateCode State u S 0=Open,1=Completed,2=Canceled
StatusCode Status 1=Open/0,2=Made/1,4=Received/1,3=Canceled/2
lookup regardingobjectid regardingobjectid_contact_phonecall=contact regardingobjectid_account_phonecall=account regardingobjectid_contact=contact regardingobjectid_account=account
child phonecall_activity_parties activityparty activityid
roles 1 2
` + activity

const taskTable = `
table task tasks activityid subject 4212 activity
Description Memo 2000
PercentComplete Integer
Category String 250
StateCode State u S 0=Open,1=Completed,2=Canceled
StatusCode Status 2=Not_Started/0,3=In_Progress/0,4=Waiting_on_someone_else/0,7=Deferred/0,5=Completed/1,6=Canceled/2
lookup regardingobjectid regardingobjectid_contact_task=contact regardingobjectid_account_task=account regardingobjectid_contact=contact regardingobjectid_account=account
child task_activity_parties activityparty activityid
` + activity

const emailTable = `
table email emails activityid subject 4202 activity
Description Memo 1073741823
DirectionCode Boolean 0=Incoming,1=Outgoing
MessageId String 320
InReplyTo String 320
Sender String 250
ToRecipients String 500
TrackingToken String 50
StateCode State u S 0=Open,1=Completed,2=Canceled
StatusCode Status 1=Draft/0,8=Failed/0,2=Completed/1,3=Sent/1,4=Received/1,6=Pending_Send/1,7=Sending/1,5=Canceled/2
lookup regardingobjectid regardingobjectid_contact_email=contact regardingobjectid_account_email=account regardingobjectid_contact=contact regardingobjectid_account=account
child email_activity_parties activityparty activityid
roles 1 2 3 4
` + activity

const appointmentTable = `
table appointment appointments activityid subject 4201 activity
Description Memo 1048576
Location String 200
IsAllDayEvent Boolean 0=No,1=Yes
StateCode State u S 0=Open,1=Completed,2=Canceled,3=Scheduled
StatusCode Status 1=Free/0,2=Tentative/0,3=Completed/1,4=Canceled/2,5=Busy/3,6=Out_of_Office/3
lookup regardingobjectid regardingobjectid_contact_appointment=contact regardingobjectid_account_appointment=account regardingobjectid_contact=contact regardingobjectid_account=account
child appointment_activity_parties activityparty activityid
roles 5 6 7
` + activity

// chatTable is a custom activity table as an administrator makes one (§5.5).
const chatTable = `
table new_conversation new_conversations activityid subject 10001 activity
Description Memo 2000
StateCode State u S 0=Open,1=Completed,2=Canceled,3=Scheduled
StatusCode Status 1=Open/0,2=Completed/1,3=Canceled/2,4=Scheduled/3
lookup regardingobjectid regardingobjectid_contact_new_Conversation=contact regardingobjectid_account_new_Conversation=account regardingobjectid_contact=contact regardingobjectid_account=account
child new_conversation_activity_parties activityparty activityid
roles 1 2 3 4 5 6 7 10 11 12
` + activity

const pointerTable = `
table activitypointer activitypointers activityid subject 4200 activity
Description Memo 2000
StateCode State r S 0=Open,1=Completed,2=Canceled,3=Scheduled
StatusCode Status r
lookup regardingobjectid regardingobjectid_contact=contact regardingobjectid_account=account
child activitypointer_activity_parties activityparty activityid
` + activity

const partyTable = `
table activityparty activityparties activitypartyid partyid 135
ActivityPartyId Uniqueidentifier c S
AddressUsed String 200
DoNotEMail Boolean 0=No,1=Yes
ParticipationTypeMask Picklist S 1=Sender,2=To_Recipient,3=CC_Recipient,4=BCC_Recipient,5=Required_attendee,6=Optional_attendee,7=Organizer,8=Regarding,9=Owner,10=Resource,11=Customer,12=Chat_Participant
IsPartyDeleted Boolean r S 0=No,1=Yes
VersionNumber BigInt r
lookup partyid partyid_contact=contact partyid_account=account partyid_systemuser=systemuser partyid_queue=queue
lookup activityid activityid_phonecall=phonecall activityid_task=task activityid_email=email activityid_appointment=appointment activityid_new_conversation=new_conversation
`

const userTable = `
table systemuser systemusers systemuserid fullname 8
SystemUserId Uniqueidentifier c S
FullName String 200 r
DomainName String 1024
ApplicationId Uniqueidentifier
VersionNumber BigInt r
`

// schema reads all tables; they are constant, so that an error is a mistake in
// this file.
func schema() map[string]*table {
	out := map[string]*table{}
	for _, text := range []string{
		contactTable, accountTable, annotationTable, phonecallTable, taskTable, emailTable, appointmentTable, chatTable,
		pointerTable, partyTable, userTable,
	} {
		t, err := parseTable(text)
		if err != nil {
			panic(err)
		}
		t.Virtual = t.Name == "activitypointer" || t.Name == "activityparty" || t.Name == "systemuser"
		out[t.Name] = t
	}
	return out
}
