// Answers a POST once its body is there.
const body = '@BODY@';

function create(r) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(201, body);
}

export default { create };
