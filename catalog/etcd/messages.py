"""The part of etcd's gRPC API that etcd3 0.12.0 and the store use, as tables. No I/O, no protobuf.

The names and numbers are public: etcd's api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto.
tests/catalog/etcd/test_rpc.py compares them with the descriptors inside etcd3 0.12.0, field by
field. That release lacks `fragment`, `watch_id` and `progress_request` (etcd 3.4), and
`dbSizeInUse` (3.4) and `dbSizeQuota` (3.6).
"""

PACKAGE = "etcdserverpb"  # the package of the services; a message's own package never travels

# Message: [repeated] type name number, ...; "<group>" in front: one of a group. A dot: inside that
# message.
MESSAGES = """
KeyValue: bytes key 1, int64 create_revision 2, int64 mod_revision 3, int64 version 4,
 bytes value 5, int64 lease 6
Event: Event.EventType type 1, KeyValue kv 2, KeyValue prev_kv 3
ResponseHeader: uint64 cluster_id 1, uint64 member_id 2, int64 revision 3, uint64 raft_term 4

RangeRequest: bytes key 1, bytes range_end 2, int64 limit 3, int64 revision 4,
 RangeRequest.SortOrder sort_order 5, RangeRequest.SortTarget sort_target 6, bool serializable 7,
 bool keys_only 8, bool count_only 9, int64 min_mod_revision 10, int64 max_mod_revision 11,
 int64 min_create_revision 12, int64 max_create_revision 13
RangeResponse: ResponseHeader header 1, repeated KeyValue kvs 2, bool more 3, int64 count 4
PutRequest: bytes key 1, bytes value 2, int64 lease 3, bool prev_kv 4, bool ignore_value 5,
 bool ignore_lease 6
PutResponse: ResponseHeader header 1, KeyValue prev_kv 2
DeleteRangeRequest: bytes key 1, bytes range_end 2, bool prev_kv 3
DeleteRangeResponse: ResponseHeader header 1, int64 deleted 2, repeated KeyValue prev_kvs 3
RequestOp: <request> RangeRequest request_range 1, <request> PutRequest request_put 2,
 <request> DeleteRangeRequest request_delete_range 3, <request> TxnRequest request_txn 4
ResponseOp: <response> RangeResponse response_range 1, <response> PutResponse response_put 2,
 <response> DeleteRangeResponse response_delete_range 3, <response> TxnResponse response_txn 4
Compare: Compare.CompareResult result 1, Compare.CompareTarget target 2, bytes key 3,
 <target_union> int64 version 4, <target_union> int64 create_revision 5,
 <target_union> int64 mod_revision 6, <target_union> bytes value 7, <target_union> int64 lease 8,
 bytes range_end 64
TxnRequest: repeated Compare compare 1, repeated RequestOp success 2, repeated RequestOp failure 3
TxnResponse: ResponseHeader header 1, bool succeeded 2, repeated ResponseOp responses 3
CompactionRequest: int64 revision 1, bool physical 2
CompactionResponse: ResponseHeader header 1

WatchRequest: <request_union> WatchCreateRequest create_request 1,
 <request_union> WatchCancelRequest cancel_request 2,
 <request_union> WatchProgressRequest progress_request 3
WatchCreateRequest: bytes key 1, bytes range_end 2, int64 start_revision 3, bool progress_notify 4,
 repeated WatchCreateRequest.FilterType filters 5, bool prev_kv 6, int64 watch_id 7, bool fragment 8
WatchCancelRequest: int64 watch_id 1
WatchProgressRequest:
WatchResponse: ResponseHeader header 1, int64 watch_id 2, bool created 3, bool canceled 4,
 int64 compact_revision 5, string cancel_reason 6, bool fragment 7, repeated Event events 11

LeaseGrantRequest: int64 TTL 1, int64 ID 2
LeaseGrantResponse: ResponseHeader header 1, int64 ID 2, int64 TTL 3, string error 4
LeaseRevokeRequest: int64 ID 1
LeaseRevokeResponse: ResponseHeader header 1
LeaseKeepAliveRequest: int64 ID 1
LeaseKeepAliveResponse: ResponseHeader header 1, int64 ID 2, int64 TTL 3
LeaseTimeToLiveRequest: int64 ID 1, bool keys 2
LeaseTimeToLiveResponse: ResponseHeader header 1, int64 ID 2, int64 TTL 3, int64 grantedTTL 4,
 repeated bytes keys 5

AuthenticateRequest: string name 1, string password 2
AuthenticateResponse: ResponseHeader header 1, string token 2

Member: uint64 ID 1, string name 2, repeated string peerURLs 3, repeated string clientURLs 4
MemberAddRequest: repeated string peerURLs 1
MemberAddResponse: ResponseHeader header 1, Member member 2, repeated Member members 3
MemberRemoveRequest: uint64 ID 1
MemberRemoveResponse: ResponseHeader header 1, repeated Member members 2
MemberUpdateRequest: uint64 ID 1, repeated string peerURLs 2
MemberUpdateResponse: ResponseHeader header 1, repeated Member members 2
MemberListRequest:
MemberListResponse: ResponseHeader header 1, repeated Member members 2

AlarmRequest: AlarmRequest.AlarmAction action 1, uint64 memberID 2, AlarmType alarm 3
AlarmMember: uint64 memberID 1, AlarmType alarm 2
AlarmResponse: ResponseHeader header 1, repeated AlarmMember alarms 2
StatusRequest:
StatusResponse: ResponseHeader header 1, string version 2, int64 dbSize 3, uint64 leader 4,
 uint64 raftIndex 5, uint64 raftTerm 6, int64 dbSizeInUse 9, int64 dbSizeQuota 12
DefragmentRequest:
DefragmentResponse: ResponseHeader header 1
HashRequest:
HashResponse: ResponseHeader header 1, uint32 hash 2
SnapshotRequest:
SnapshotResponse: ResponseHeader header 1, uint64 remaining_bytes 2, bytes blob 3
"""

# Enum: name number, ...
ENUMS = """
Event.EventType: PUT 0, DELETE 1
RangeRequest.SortOrder: NONE 0, ASCEND 1, DESCEND 2
RangeRequest.SortTarget: KEY 0, VERSION 1, CREATE 2, MOD 3, VALUE 4
Compare.CompareResult: EQUAL 0, GREATER 1, LESS 2, NOT_EQUAL 3
Compare.CompareTarget: VERSION 0, CREATE 1, MOD 2, VALUE 3, LEASE 4
WatchCreateRequest.FilterType: NOPUT 0, NODELETE 1
AlarmRequest.AlarmAction: GET 0, ACTIVATE 1, DEACTIVATE 2
AlarmType: NONE 0, NOSPACE 1, CORRUPT 2
"""

# Service: method request response, ...; "*" behind a message: a stream of them.
SERVICES = """
KV: Range RangeRequest RangeResponse, Put PutRequest PutResponse,
 DeleteRange DeleteRangeRequest DeleteRangeResponse, Txn TxnRequest TxnResponse,
 Compact CompactionRequest CompactionResponse
Watch: Watch WatchRequest* WatchResponse*
Lease: LeaseGrant LeaseGrantRequest LeaseGrantResponse,
 LeaseRevoke LeaseRevokeRequest LeaseRevokeResponse,
 LeaseKeepAlive LeaseKeepAliveRequest* LeaseKeepAliveResponse*,
 LeaseTimeToLive LeaseTimeToLiveRequest LeaseTimeToLiveResponse
Auth: Authenticate AuthenticateRequest AuthenticateResponse
Cluster: MemberAdd MemberAddRequest MemberAddResponse,
 MemberRemove MemberRemoveRequest MemberRemoveResponse,
 MemberUpdate MemberUpdateRequest MemberUpdateResponse,
 MemberList MemberListRequest MemberListResponse
Maintenance: Alarm AlarmRequest AlarmResponse, Status StatusRequest StatusResponse,
 Defragment DefragmentRequest DefragmentResponse, Hash HashRequest HashResponse,
 Snapshot SnapshotRequest SnapshotResponse*
"""


def rows(table: str) -> dict[str, list[list[str]]]:
    """Return a table's rows: name -> its items, each split into words."""
    joined = table.strip().replace(",\n ", ", ")

    found = {}
    for line in joined.splitlines():
        name, _, items = line.partition(":")
        if name:
            found[name] = [item.split() for item in items.split(",") if item.strip()]
    return found
