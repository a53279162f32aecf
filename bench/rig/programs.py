"""The programs in the measured containers: one listens very early, one takes any load."""

# In Perl, which every Debian has and which listens earlier than Python. It answers with `service
# container listening-since-ns`. As process 1 it ignores SIGTERM and answers until it is killed, so
# a request that comes late is seen.
QUICK = r"""
use Socket; use POSIX ();
my ($service, $port) = @ARGV;
my ($host, $machine) = (POSIX::uname())[1, 4];
my $clock_gettime = $machine eq "aarch64" ? 113 : 228;
sub now { my $b = "\0" x 16; syscall($clock_gettime, 0, $b); sprintf("%d%09d", unpack("qq", $b)) }
socket(S, AF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in($port, INADDR_ANY)) or die; listen(S, 1024);
my $text = "$service $host " . now();
my $head = "HTTP/1.1 200 OK\r\nContent-Length: " . length($text) . "\r\nConnection: close";
my $answer = "$head\r\n\r\n$text";
while (1) { accept(C, S) or next; sysread(C, my $q, 9999); syswrite(C, $answer); close(C) }
"""

# HAProxy as a server: one thread answers thousands of calls a second, Python would not.
STRONG = """
global
    nbthread 1
    maxconn 8000
defaults
    mode http
    timeout client 60s
    timeout http-keep-alive 60s
frontend all
    bind *:{port}
    http-request return status 200 content-type text/plain lf-string "{service} %[hostname] %[dst]"
"""
